/*
 * A reap and its items, private to lib/host.
 *
 * An item is new until it is asked for (and then counts as in flight), and done
 * when its proc has ended or will not.  While it is not done it is in the list
 * of its entry.
 */
#ifndef HM_ITEM_H
#define HM_ITEM_H

#include "host/host_private.h"

struct item {
	struct item *next; /* of the same entry */
	struct reap *reap;
	struct entry *entry; /* NULL: unknown, or forgotten */
	enum { ITEM_NEW, ITEM_ASKED, ITEM_DONE } state;
	uint64_t due; /* given up then; 0: never */
};

struct reap {
	struct reap *next;
	struct hm_host *host;
	/* As it was asked for, but: deadline is of the clock, to and reason are
	 * copied, names are not looked at any more. */
	struct reap_spec spec;
	struct hm_id to;
	char reason[HM_REASON_MAX];
	bool told, going;
	unsigned in_flight;
	uint64_t attempted, ok, failed;
	uint64_t past; /* what to clear of the past */
	struct hm_timer timer;
	size_t n, first; /* items; the first that may be new */
	struct item items[];
};

/* Asks for the end of the item's entry, politely or not. */
void item_ask(struct item *item, bool kill);
/* The first step: asks, or waits, or sees that there is nothing to do. */
void item_start(struct item *item);
/* It has ended; will not, and why; has not in time. */
void item_ended(struct item *item);
void item_failed(struct item *item, const char *why, bool late);
void item_late(struct item *item);
/* It is done without a word; its entry is held no more. */
void item_detach(struct item *item);
void item_let_go(struct item *item);
/* To whoever asked, if somebody did; out is emptied. */
void reap_say(const struct reap *reap, struct hm_json_out *out);
void reap_say_not_ended(
    const struct reap *reap, const char *name, const char *why, bool late);

#endif
