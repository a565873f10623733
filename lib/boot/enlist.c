/*
 * What a supervisor needs of the host before it starts anything: its links, its
 * procs' names, where their lines go.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/ward.h"
#include "proc/agent.h"

/* In one request, of which the host takes 256 KiB: the longest fit. */
#define NAMES_MAX 1000

static int
refuse(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)msg;
	return hm_refuse(self, "it takes no messages");
}

static void
on_line_return(struct hm_actor *self, struct hm_envelope *env)
{
	struct supervisor *sup = hm_actor_arg(self);
	struct hm_id dest;

	hm_envelope_dest(env, &dest);
	sinks_returned(&sup->sinks, &dest);
}

struct hm_proc *
enlist_client(struct supervisor *sup, struct hm_error *err)
{
	struct hm_attach how;

	memset(&how, 0, sizeof how);
	how.host = sup->job->host;
	how.limits = sup->job->limits;
	return hm_proc_attach(sup->loop, &how, err);
}

/* Lines for ports go over a link of their own: what their reader does not take
 * fills that one, and no status waits behind it. */
static int
attach_lines(struct supervisor *sup, struct hm_error *err)
{
	sup->lines = enlist_client(sup, err);
	if (sup->lines == NULL)
		return -1;
	sup->sinks.from = hm_proc_spawn(sup->lines, "main", refuse, sup, err);
	if (sup->sinks.from == NULL)
		return -1;
	hm_actor_on_return(sup->sinks.from, on_line_return);
	return 0;
}

/* Names of wards from to until. */
static int
reserve(
    struct supervisor *sup, unsigned from, unsigned until, struct hm_error *err)
{
	const struct hm_json *token;
	struct hm_json *json = NULL;
	struct hm_json_out out;
	unsigned i;
	char *text;

	hm_json_begin(&out);
	hm_json_put_string(&out, "op", "reserve");
	hm_json_open(&out, "names", '[');
	for (i = from; i < until; i++) {
		ward_init(&sup->wards[i], sup, i);
		hm_json_put_string(&out, NULL, sup->wards[i].id.proc);
	}
	hm_json_close(&out, ']');
	hm_json_close(&out, '}');
	text = hm_json_out_take(&out, NULL);
	if (text == NULL)
		return hm_fail(err, ENOMEM, "no memory");
	json = hm_control(sup->agent, text, CONTROL_MS, err);
	free(text);
	if (json == NULL)
		return -1;
	token = hm_json_get(json, "tokens");
	token = token == NULL ? NULL : token->child;
	for (i = from; i < until && token != NULL && token->string != NULL;
	     i++) {
		(void)snprintf(sup->wards[i].token, sizeof sup->wards[i].token,
		    "%s", token->string);
		token = token->next;
	}
	hm_json_free(json);
	return i == until ? 0 : hm_fail(err, EPROTO, "host: no tokens");
}

/* All names, or none: when this fails the link goes, and with it those that
 * were reserved. */
int
enlist_names(struct supervisor *sup, struct hm_error *err)
{
	unsigned from, until, n = sup->job->count;

	for (from = 0; from < n; from = until) {
		until = n - from > NAMES_MAX ? from + NAMES_MAX : n;
		if (reserve(sup, from, until, err) == -1)
			return -1;
	}
	return 0;
}

int
enlist_sinks(struct supervisor *sup, struct hm_error *err)
{
	const char *const *spec = sup->job->outputs;

	sup->sinks.loop = sup->loop;
	for (; *spec != NULL; spec++) {
		if (sinks_add(&sup->sinks, *spec, err) == -1)
			return -1;
	}
	if (sinks_resolve(&sup->sinks, sup->host_id, err) == -1)
		return -1;
	return sinks_channel(&sup->sinks) == NULL ? 0 : attach_lines(sup, err);
}
