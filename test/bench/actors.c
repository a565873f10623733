/*
 * What actors of one proc cost: actors WHAT COUNT prints one figure, of a tree
 * of COUNT children of one root.
 */
#include <stdio.h>
#include <string.h>

#include <hostmux/hostmux.h>

#include "bench.h"

static struct hm_proc *proc;
static size_t seen;

static void
fail(const struct hm_error *err)
{
	bench_die(err->text);
}

static int
take(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)self;
	(void)msg;
	seen++;
	return HM_TAKEN;
}

static const struct hm_behaviour plain = {NULL, take, NULL, NULL, NULL};

static struct hm_actor *
make(size_t n)
{
	struct hm_error err;
	struct hm_actor *root =
	    hm_actor_spawn(proc, "root", &plain, NULL, &err);

	while (n-- > 0) {
		if (root == NULL ||
		    hm_actor_spawn_child(root, &plain, NULL, &err) == NULL)
			fail(&err);
	}
	return root;
}

/* Bytes that are resident. */
static double
resident(void)
{
	unsigned long kib = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");

	while (f != NULL && fgets(line, sizeof line, f) != NULL &&
	       sscanf(line, "VmRSS: %lu", &kib) != 1)
		continue;
	if (f == NULL || fclose(f) != 0)
		bench_die("/proc/self/status");
	return (double)kib * 1024;
}

static void
count(void *arg, struct hm_actor *actor, size_t depth)
{
	(void)arg;
	(void)actor;
	(void)depth;
	seen++;
}

static void
on_status(
    void *arg, struct hm_actor *actor, const struct hm_actor_status *status)
{
	bool *over = arg;

	(void)actor;
	*over = hm_actor_state_terminal(status->state);
}

static void
stop(struct hm_actor *root)
{
	bool over = false;
	struct hm_actor_watch watch = {on_status, &over, NULL, NULL};

	if (hm_actor_watch_start(root, &watch) == -1 ||
	    hm_actor_stop(root, "enough") == -1)
		bench_die("stop");
	while (!over && hm_loop_turn(hm_proc_loop(proc), 1000) == 0)
		continue;
}

static void
find(const struct hm_actor *root, size_t n)
{
	struct hm_id id;

	hm_actor_get_id(root, &id);
	for (id.index = 1; id.index <= n; id.index++)
		seen += hm_proc_find(proc, &id) != NULL;
}

/* A thousand before the first of them is handled. */
static void
post(struct hm_actor *root, size_t n)
{
	struct hm_error err;
	struct hm_id dest;
	struct hm_draft draft = {NULL, &dest, "text/plain", 0, 0, NULL, NULL};
	struct hm_actor *to = hm_actor_spawn_child(root, &plain, NULL, &err);
	struct hm_envelope *model, *env;
	size_t i;

	if (to == NULL)
		fail(&err);
	draft.sender = hm_actor_id(root);
	hm_port_id(to, HM_PORT_DEFAULT, &dest);
	model = hm_envelope_new(&draft, "", 0, &err);
	for (i = 0; i < n; i++) {
		env = model == NULL ? NULL : hm_envelope_like(model, "hi", 2);
		if (env == NULL || hm_post_unchecked(root, env) == -1)
			bench_die("post");
		while (((i + 1) % 1000 == 0 || i + 1 == n) && seen <= i)
			(void)hm_loop_turn(hm_proc_loop(proc), 1000);
	}
	hm_envelope_free(model);
}

int
main(int argc, char **argv)
{
	const char *what = argc == 3 ? argv[1] : "";
	size_t n = argc == 3 ? bench_number(argv[2]) : 0;
	struct hm_error err;
	struct hm_actor *root;
	double before;
	uint64_t begin;

	proc = hm_proc_local(NULL, &err);
	if (proc == NULL || n == 0)
		bench_die("usage: actors make|walk|find|stop|bytes|post COUNT");
	before = resident();
	begin = bench_now();
	root = make(strcmp(what, "post") == 0 ? 0 : n);
	if (strcmp(what, "bytes") == 0) {
		(void)printf("%.0f\n", (resident() - before) / (double)n);
		return 0;
	}
	if (strcmp(what, "make") != 0)
		begin = bench_now();
	if (strcmp(what, "walk") == 0)
		hm_proc_traverse(proc, count, NULL);
	else if (strcmp(what, "find") == 0)
		find(root, n);
	else if (strcmp(what, "stop") == 0)
		stop(root);
	else if (strcmp(what, "post") == 0)
		post(root, n);
	(void)printf("%.0f\n", (double)(bench_now() - begin) / (double)n);
	return 0;
}
