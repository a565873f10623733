/*
 * Finding procs, and the least busy of them.
 *
 * Whether somebody is there yet is asked again and again: that needs no right
 * at the host that a message does not need, and works for a host that is not
 * there yet either.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hostmux/status.h>

#include "base/sys.h"
#include "tool/pool.h"

#define AGAIN_MS 100
#define ANSWER_MS 5000

/* A DEST taken apart. */
struct search {
	struct hm_id host; /* its control actor */
	struct hm_actor *actor;
	const char *rest;      /* behind the name: "" or ",ACTOR…" */
	char name[HM_ID_TEXT]; /* or pattern */
	bool pattern;
};

static int
add(struct pool *pool, const struct hm_id *dest)
{
	struct target *targets =
	    realloc(pool->targets, (pool->n + 1) * sizeof *targets);

	if (targets == NULL)
		return -1;
	pool->targets = targets;
	memset(&targets[pool->n], 0, sizeof *targets);
	targets[pool->n++].dest = *dest;
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct target *x = a, *y = b;

	return hm_id_compare(&x->dest, &y->dest);
}

/* The address of dest (base if it has none) and what is behind it. */
static const char *
split_address(const char *dest, const char *base, char *addr, size_t size)
{
	size_t n = strcspn(dest, ",");

	if (memchr(dest, ':', n) == NULL) {
		(void)snprintf(addr, size, "%s", base);
		return dest;
	}
	(void)snprintf(addr, size, "%.*s", (int)n, dest);
	return dest[n] == ',' ? dest + n + 1 : dest + n;
}

/* Is this record of a proc one that is searched for? */
static bool
fits(const struct search *search, const struct hm_json *record)
{
	const char *kind = hm_json_string(record, "kind", "");
	const char *name = hm_json_string(record, "name", "");

	if (strcmp(hm_json_string(record, "status", ""),
		hm_state_name(HM_READY)) != 0)
		return false;
	if (!search->pattern)
		return strcmp(search->name, name) == 0;
	return (strcmp(kind, "spawned") == 0 || strcmp(kind, "joined") == 0) &&
	       fnmatch(search->name, hm_json_string(record, "name", ""), 0) ==
		   0;
}

static int
take(struct pool *pool, const struct search *search,
    const struct hm_json *record, struct hm_error *err)
{
	char text[HM_ID_TEXT + HM_NAME_MAX];
	struct hm_id id;

	(void)snprintf(text, sizeof text, "%s%s",
	    hm_json_string(record, "name", ""), search->rest);
	if (hm_id_parse_dest(&id, text, search->host.addr, err) == -1)
		return -1;
	return add(pool, &id) == 0 ? 0 : hm_fail(err, ENOMEM, "no memory");
}

/* One question to the host, and those of its answer that fit. */
static int
ask(struct pool *pool, const struct search *search, uint64_t timeout,
    struct hm_error *err)
{
	const char *question = search->pattern
				   ? "{\"op\":\"list\"}"
				   : "{\"op\":\"list\",\"all\":true}";
	const struct hm_json *record;
	struct hm_envelope *answer;
	struct hm_json *json;
	int done = 0;

	answer = hm_call(search->actor, &search->host, question,
	    strlen(question), timeout, err);
	if (answer == NULL)
		return -1;
	json = hm_json_parse(hm_payload(answer), hm_payload_len(answer), err);
	hm_envelope_free(answer);
	if (json == NULL)
		return -1;
	record = hm_json_get(json, "procs");
	for (record = record == NULL ? NULL : record->child;
	     record != NULL && done == 0; record = record->next) {
		if (fits(search, record))
			done = take(pool, search, record, err);
	}
	hm_json_free(json);
	return done;
}

static int
turn_for(struct hm_loop *loop, uint64_t ms, struct hm_error *err)
{
	uint64_t end = hm_loop_now(loop) + ms, now;

	while ((now = hm_loop_now(loop)) < end) {
		if (hm_loop_turn(loop, sys_poll_ms(end - now)) == -1)
			return hm_fail(err, errno, "loop: %s", strerror(errno));
	}
	return 0;
}

/* Asks until somebody fits. */
static int
ask_again(struct pool *pool, const struct search *search, struct hm_error *err)
{
	struct hm_loop *loop = hm_proc_loop(hm_actor_proc(search->actor));

	while (pool->n == 0) {
		if (ask(pool, search, ANSWER_MS, err) == -1 &&
		    err->code != ETIMEDOUT)
			return -1;
		if (pool->n == 0 && turn_for(loop, AGAIN_MS, err) == -1)
			return -1;
	}
	return 0;
}

static int
refuse(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)msg;
	return hm_refuse(self, "takes no messages");
}

static int
run(struct pool *pool, struct hm_proc *proc, struct search *search, bool wait,
    struct hm_error *err)
{
	int done;

	search->actor = hm_proc_spawn(proc, "pool", refuse, NULL, err);
	if (search->actor == NULL)
		return -1;
	done = wait ? ask_again(pool, search, err) : ask(pool, search, 0, err);
	hm_actor_free(search->actor);
	if (done == 0 && pool->n == 0)
		return hm_fail_kind(err, HM_ERR_NOPROC, ENOENT,
		    "no proc fits '%s'", search->name);
	return done;
}

int
pool_fill(struct pool *pool, struct hm_proc *proc, const char *dest,
    const char *base, bool wait, struct hm_error *err)
{
	char addr[HM_ADDR_SIZE + 256], service[sizeof addr + 32];
	struct search search;
	struct hm_id id;
	const char *name = split_address(dest, base, addr, sizeof addr);
	size_t n = strcspn(name, ",");

	memset(pool, 0, sizeof *pool);
	(void)snprintf(search.name, sizeof search.name, "%.*s", (int)n, name);
	search.rest = name + n;
	search.pattern = strpbrk(search.name, "*?[") != NULL;
	if (!search.pattern && hm_id_parse_dest(&id, dest, base, err) == -1)
		return -1;
	if (search.pattern || wait) {
		(void)snprintf(
		    service, sizeof service, "%s,service,host_agent", addr);
		if (hm_id_parse_dest(&search.host, service, base, err) == -1)
			return -1;
		/* Who is no host says no more than that it is there. */
		if (run(pool, proc, &search, wait, err) == -1 &&
		    (search.pattern || err->code != EHOSTUNREACH))
			return -1;
	}
	if (pool->n == 0 && add(pool, &id) == -1)
		return hm_fail(err, ENOMEM, "no memory");
	qsort(pool->targets, pool->n, sizeof *pool->targets, compare);
	return 0;
}

void
pool_fini(struct pool *pool)
{
	size_t i;

	for (i = 0; i < pool->n; i++)
		hm_envelope_free(pool->targets[i].model);
	free(pool->targets);
	memset(pool, 0, sizeof *pool);
}

struct target *
pool_find(const struct pool *pool, const struct hm_id *dest)
{
	struct target key;

	key.dest = *dest;
	if (pool->n == 1)
		return &pool->targets[0];
	return bsearch(
	    &key, pool->targets, pool->n, sizeof *pool->targets, compare);
}

/*
 * Nobody is less busy than pool->least, so the first who is no busier will do:
 * the search is short unless the least busy has become busier.
 */
struct target *
pool_least(struct pool *pool)
{
	struct target *target, *best = NULL;
	size_t i;

	for (i = 0; i < pool->n; i++) {
		target = &pool->targets[(pool->turn + i) % pool->n];
		if (best == NULL || (best->gone && !target->gone) ||
		    (best->gone == target->gone && target->busy < best->busy))
			best = target;
		if (!best->gone && best->busy <= pool->least)
			break;
	}
	if (!best->gone)
		pool->least = best->busy;
	pool->turn = (size_t)(best - pool->targets) + 1;
	return best;
}

void
pool_less_busy(struct pool *pool, struct target *target, bool gone)
{
	target->busy--;
	target->gone = gone;
	if (!gone && target->busy < pool->least)
		pool->least = target->busy;
}
