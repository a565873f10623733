/*
 * The registry: every name the host knows.
 *
 * An entry is one life of a name.  The living are found by name and listed in
 * the order they came; those that have ended are kept, the latest retention of
 * them, with all that is known of them.  Room is made at the expense of the
 * oldest that ended well, so that failures outlive clean stops.  An entry that
 * is held (by a reap) stays until it is let go.
 *
 * "counts" marks what a reap of all has to count: procs spawned or joined
 * since the last one, of each name the latest life.
 */
#ifndef HM_REGISTRY_H
#define HM_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>

#include <hostmux/json.h>
#include <hostmux/loop.h>
#include <hostmux/manager.h>
#include <hostmux/status.h>

#include "host/past.h"
#include "route/router.h"

enum entry_kind {
	ENTRY_SPAWNED, /* reserved, and later booted, by its owner */
	ENTRY_JOINED,
	ENTRY_CLIENT,
	ENTRY_BOUND, /* a stand-alone server */
	ENTRY_SERVICE,
	ENTRY_LOCAL
};

#define TOKEN_SIZE 33 /* 128 bits in hex */

struct waiter;
struct item;

struct entry {
	struct entry *next, *prev; /* in order of birth, or of end */
	struct entry *hash_next;   /* living ones of one bucket */
	struct entry *owner;	   /* who reserved it; NULL: nobody, or lost */
	struct hm_host *host;
	char name[HM_NAME_MAX + 1];
	char token[TOKEN_SIZE];
	enum entry_kind kind;
	bool proc;   /* it has been ready, or has joined: not just an attempt */
	bool booted; /* the token has been used */
	bool counts;
	bool ending;	/* its end is known; its name is free very soon */
	bool lost;	/* and that is because its owner was lost */
	bool managed;	/* started by this process */
	bool abandoned; /* and never Ready: nobody has its handle */
	bool ended;
	unsigned owned, asked; /* entries it owns, waits it has asked for */
	unsigned held;
	struct hm_handle *handle; /* managed, and not seen ended */
	struct hm_waiter follows; /* that */
	struct hm_status status;
	struct hm_status *last;	   /* ending: the one to come; or NULL */
	struct router_stats stats; /* of the ended */
	char *tail;		   /* last lines, a JSON array, or NULL */
	struct waiter *waiters;	   /* who is answered when it has ended */
	struct item *items;	   /* of reaps that wait for its end */
	struct hm_timer timer;	   /* ending: not later than this */
	struct {
		uint64_t deadline; /* of the terminate under way, 0: none */
		bool kill;
	} asked_end;
};

struct entries {
	struct entry *first, *last;
	size_t n;
};

#define REGISTRY_BUCKETS 1024u

struct registry {
	struct entry *buckets[REGISTRY_BUCKETS];
	struct entries living, ended;
	size_t retention;
	struct past past;
};

void registry_init(struct registry *registry, size_t retention);
/* Frees every entry; their timers and waiters are not running any more. */
void registry_fini(struct registry *registry);
/* A new entry, Starting, in no list. NULL: ENOMEM. */
struct entry *entry_new(enum entry_kind kind, const char *name);
void entry_free(struct entry *entry);
void registry_enter(struct registry *registry, struct entry *entry);
/* The living one of that name, NULL; registry_last: or the latest ended. */
struct entry *registry_find(const struct registry *registry, const char *name);
struct entry *registry_last(const struct registry *registry, const char *name);
/* From the living to the ended; see registry_trim. */
void registry_end(struct registry *registry, struct entry *entry);
/* From the living to nowhere: the caller frees it. */
void registry_leave(struct registry *registry, struct entry *entry);
/* It is a proc from now on, the latest life of its name. */
void registry_count(struct registry *registry, struct entry *entry);
/* Forgets the ended that are too many. */
void registry_trim(struct registry *registry);
const char *entry_kind_name(enum entry_kind kind);

#endif
