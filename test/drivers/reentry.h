/*
 * Cases, each by itself or all, and waiters for them.
 */
#ifndef REENTRY_H
#define REENTRY_H

#include "hosted.h"

struct reentry {
	const char *name;
	void (*run)(void);
};

#define CASE(name)          \
	{                   \
#name, name \
	}

/* Those that the argument names, or all; without one of that name: 1. */
static inline int
reenter(const struct reentry *cases, size_t n, int argc, char **argv)
{
	int missing = 1;
	size_t i;

	find_self(argv[0]);
	for (i = 0; i < n; i++) {
		if (argc == 2 && strcmp(cases[i].name, argv[1]) != 0)
			continue;
		begin();
		cases[i].run();
		end();
		missing = 0;
	}
	return missing;
}

typedef void told_fn(
    void *arg, struct hm_handle *handle, const struct hm_error *why);

/* Not twice at a time. */
static inline void
await(struct hm_handle *handle, struct hm_waiter *waiter, enum hm_until until,
    told_fn *fn, void *arg)
{
	waiter->fn = fn;
	waiter->arg = arg;
	waiter->until = until;
	hm_handle_await(handle, waiter);
}

/* arg: how often. */
static inline void
count(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	(void)handle;
	(void)why;
	++*(unsigned *)arg;
}

/* Of an end that comes while the manager is freed: it is not restarted. */
static inline void
spawn_again(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	const struct hm_spawn *how = arg;

	CHECK(why == NULL);
	CHECK(hm_manager_spawn(handle->manager, how, &err) == NULL);
	CHECK(err.kind == HM_ERR_DENIED);
}

/* A proc without a host: what it is started with. */
static inline struct hm_spawn
without_host(const struct hm_spawn *how)
{
	static struct hm_id id;
	struct hm_spawn spawn = *how;

	hm_id_set(&id, "local:0", "p", "", 0, 0);
	id.depth = HM_ID_PROC;
	spawn.id = &id;
	spawn.forwarder = "unix:/tmp/backend";
	spawn.token = "0123456789abcdef0123456789abcdef";
	return spawn;
}

static inline struct hm_handle *
bare(struct hm_manager *manager, const struct hm_spawn *how)
{
	const struct hm_spawn spawn = without_host(how);
	struct hm_handle *handle = hm_manager_spawn(manager, &spawn, &err);

	CHECK(handle != NULL);
	return handle;
}

#endif
