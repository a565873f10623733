/*
 * The past: which procs have ended and been forgotten since the last reap of
 * all, so that it can count them, one per name.
 *
 * Only a hash of each name is kept, and of at most PAST_MAX names; older ones
 * are but a number (a name among those that lives again is counted twice).
 */
#ifndef HM_PAST_H
#define HM_PAST_H

#include <stdint.h>

#define PAST_MAX 4096u /* 32 KiB */

struct past {
	uint64_t *hashes;     /* a ring of PAST_MAX, 0: withdrawn; or NULL */
	uint64_t first, next; /* of the ring, only going up */
	uint64_t older;
};

/* A proc of that name is forgotten. */
void past_add(struct past *past, const char *name);
/* A proc of that name lives again. */
void past_withdraw(struct past *past, const char *name);
uint64_t past_count(const struct past *past);
/* Drops what was there when next was upto. */
void past_clear(struct past *past, uint64_t upto);
void past_fini(struct past *past);

#endif
