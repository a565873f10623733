/*
 * A supervised tree: "main" hands each message to one of three workers, which
 * answers it in capitals.  "fail" makes its worker fail: who asked is told,
 * main replaces the worker, and the proc goes on.
 *
 *	cc workers.c $(pkg-config --cflags --libs hostmux) -o workers
 *	proc-spawn w ./workers
 *	msg-call w hello
 *	proc-stat w,main[1]
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <hostmux/hostmux.h>

#define WORKERS 3

static int
work(struct hm_actor *self, struct hm_envelope *msg)
{
	size_t i, len = hm_payload_len(msg);
	const char *text = hm_payload(msg);
	char *answer;
	int done;

	if (len == 4 && memcmp(text, "fail", 4) == 0)
		return hm_actor_fail(self, "told to");
	answer = malloc(len + 1);
	if (answer == NULL)
		return hm_refuse(self, "no memory");
	for (i = 0; i < len; i++)
		answer[i] = (char)toupper((unsigned char)text[i]);
	done = hm_reply(self, msg, answer, len);
	free(answer);
	return done == 0 ? HM_TAKEN : hm_refuse(self, "no memory");
}

static const struct hm_behaviour worker = {NULL, work, NULL, NULL, NULL};

struct pool {
	struct hm_id workers[WORKERS];
	unsigned next;
};

static int
hire(struct hm_actor *self, struct hm_id *id)
{
	struct hm_error err;
	struct hm_actor *child =
	    hm_actor_spawn_child(self, &worker, NULL, &err);

	if (child == NULL)
		return hm_actor_fail(self, "no worker: %s", err.text);
	hm_port_id(child, HM_PORT_DEFAULT, id);
	return 0;
}

static int
begin(struct hm_actor *self)
{
	struct pool *pool = hm_actor_arg(self);
	int i, done = 0;

	for (i = 0; i < WORKERS && done == 0; i++)
		done = hire(self, &pool->workers[i]);
	return done;
}

/* The worker answers to whoever asked main. */
static int
hand_on(struct hm_actor *self, struct hm_envelope *msg)
{
	struct pool *pool = hm_actor_arg(self);
	struct hm_id reply;
	struct hm_draft draft = {NULL, &pool->workers[pool->next], "text/plain",
	    0, 0, hm_envelope_reply_to(msg, &reply) ? &reply : NULL, NULL};
	struct hm_envelope *env =
	    hm_envelope_new(&draft, hm_payload(msg), hm_payload_len(msg), NULL);

	pool->next = (pool->next + 1) % WORKERS;
	if (env == NULL || hm_post_unchecked(self, env) == -1) {
		hm_envelope_free(env);
		return hm_refuse(self, "no memory");
	}
	return HM_TAKEN;
}

/* What a worker did not do comes back here: who asked is told why. */
static void
give_back(struct hm_actor *self, struct hm_envelope *env)
{
	enum hm_outcome kind;
	struct hm_slice why, at;

	if (hm_envelope_error_at(
		env, hm_envelope_errors(env) - 1, &kind, &why, &at))
		(void)hm_reply(self, env, why.p, why.n);
}

static int
supervise(struct hm_actor *self, const struct hm_event *event)
{
	struct pool *pool = hm_actor_arg(self);
	int i;

	for (i = 0; event->failed && i < WORKERS; i++) {
		if (pool->workers[i].index == event->actor.index)
			return hire(self, &pool->workers[i]);
	}
	return HM_TAKEN;
}

static const struct hm_behaviour boss = {
    begin, hand_on, give_back, supervise, NULL};

int
main(void)
{
	struct pool pool;
	struct hm_error err;
	struct hm_proc *proc = hm_boot(&err);

	memset(&pool, 0, sizeof pool);
	if (proc == NULL ||
	    hm_actor_spawn(proc, "main", &boss, &pool, &err) == NULL)
		return hm_error_exit(&err, "workers");
	return hm_proc_run(proc);
}
