/*
 * The ledger of a link: which messages were passed on over it and are not
 * settled, and where each came from.
 *
 * Entries are ranges (first number here, first number there, count), sorted by
 * number here, since numbers only go up.  Neighbours from one source merge, so
 * a stream from one sender is one entry whatever its length.  Entries hold a
 * reference of their source.
 */
#ifndef HM_LEDGER_H
#define HM_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hostmux/envelope.h>

/* How a settlement reads: reason and at are "" when delivered. */
struct settlement {
	enum hm_outcome outcome;
	struct hm_slice reason, at;
	bool lazy; /* by the taker itself: may be gathered for a while */
};

/* Where messages come from, and so where their settlements and the credit
 * they hold go back to. */
struct hm_source {
	/* Messages first … first + n - 1 are settled. */
	void (*settle)(struct hm_source *source, uint64_t first, uint32_t n,
	    const struct settlement *how);
	/* cost bytes of credit are free again. */
	void (*credit)(struct hm_source *source, uint64_t cost);
	/* The last reference is gone. */
	void (*unused)(struct hm_source *source);
	unsigned refs;
};
void source_hold(struct hm_source *source);
void source_drop(struct hm_source *source);

struct ledger_entry {
	uint64_t first;	 /* number here */
	uint64_t origin; /* number there */
	struct hm_source *source;
	uint32_t count;
};

struct ledger {
	struct ledger_entry *entries;
	size_t start, len, cap; /* entries[start … start + len) are in use */
	uint64_t unsettled;	/* sum of the counts */
	uint64_t settled;	/* that were in it before */
};

void ledger_init(struct ledger *ledger);
/* Whatever is left is dropped without a word: settle it first. */
void ledger_fini(struct ledger *ledger);
/* number is greater than every one before.  0 or -1 ENOMEM. */
int ledger_add(struct ledger *ledger, uint64_t number, struct hm_source *source,
    uint64_t origin);
/*
 * Settles count messages from first on: their sources are told, part by part.
 * -1 EINVAL when one of them is not in the ledger (those before it have been
 * settled), -1 ENOMEM when a range cannot be split.
 */
int ledger_settle(struct ledger *ledger, uint64_t first, uint64_t count,
    const struct settlement *how);
/* The least unsettled number from number on, UINT64_MAX if there is none. */
uint64_t ledger_next(const struct ledger *ledger, uint64_t number);
/* Takes one message out without settling it: its source (whose reference is the
 * caller's now) and its number there.  -1: it is not there, or ENOMEM. */
int ledger_take(struct ledger *ledger, uint64_t number,
    struct hm_source **source, uint64_t *origin);
/* Takes back the last ledger_add; nobody is told. */
void ledger_forget(struct ledger *ledger, uint64_t number);
bool ledger_has(const struct ledger *ledger, uint64_t number);
/* The oldest entry, NULL if everything is settled. */
const struct ledger_entry *ledger_oldest(const struct ledger *ledger);

#endif
