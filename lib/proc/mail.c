/*
 * Mail: envelopes that wait, in order.
 */
#include <stdarg.h>
#include <stdio.h>

#include "proc/proc_private.h"

void
mail_init(struct mail *mail)
{
	mail->first = NULL;
	mail->end = &mail->first;
	mail->n = 0;
}

void
mail_put(struct mail *mail, struct hm_envelope *env)
{
	env->next = NULL;
	*mail->end = env;
	mail->end = &env->next;
	mail->n++;
}

struct hm_envelope *
mail_take(struct mail *mail)
{
	struct hm_envelope *env = mail->first;

	if (env == NULL)
		return NULL;
	mail->first = env->next;
	if (mail->first == NULL)
		mail->end = &mail->first;
	mail->n--;
	env->next = NULL;
	return env;
}

void
mail_refuse(struct hm_proc *proc, struct hm_envelope *env, const char *fmt, ...)
{
	char why[HM_ERROR_TEXT], at[HM_ID_TEXT];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	router_settle(
	    env, HM_NOT_SENT, why, hm_id_print(&proc->id, at, sizeof at));
}
