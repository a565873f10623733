/*
 * A pool: whom a DEST means.  A shell pattern of proc names means the Ready
 * procs, spawned or joined, that it fits when the program starts; every other
 * DEST means itself.
 */
#ifndef HM_POOL_H
#define HM_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hostmux/proc.h>

struct target {
	struct hm_id dest;
	size_t busy;	  /* what is with it: unsettled or unanswered */
	bool gone;	  /* it has ended, or is out of reach */
	uint64_t monitor; /* the port where its end is told, 0: none */
	struct hm_envelope *model; /* of what it is sent, or NULL */
};

struct pool {
	struct target *targets; /* in the order of their names */
	size_t n;
	size_t turn;  /* where the search for the least busy begins */
	size_t least; /* none is less busy than this */
};

/*
 * Finds whom dest means, in turns of the loop if somebody must be asked.
 * base: the address that is meant without one.  wait: until there is somebody.
 * -1 with a sentence: "no proc fits 'w*'" (kind NOPROC), a bad id, or why the
 * host does not answer.
 */
int pool_fill(struct pool *pool, struct hm_proc *proc, const char *dest,
    const char *base, bool wait, struct hm_error *err);
void pool_fini(struct pool *pool);
/* The least busy of those that are not gone, in turns; if all are, of all.
 * (One that is gone is never busy: it would get everything.) */
struct target *pool_least(struct pool *pool);
/* One of what target was busy with is done; gone: because nothing gets there
 * any more. */
void pool_less_busy(struct pool *pool, struct target *target, bool gone);
/* Whom a message to dest went to; NULL. */
struct target *pool_find(const struct pool *pool, const struct hm_id *dest);

#endif
