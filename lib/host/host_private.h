/*
 * A host, private to lib/host.
 *
 *   host.c      made, shut down
 *   listen.c    its addresses
 *   registry.c  the names it knows
 *   life.c      names come and go: greetings, statuses, ends
 *   watch.c     who is told of changes (watchers) and of ends (waiters)
 *   reap.c      many procs ended at once
 *   item.c      one of them
 *   control.c   the messages to host_agent
 *   naming.c    those that give, bind and free names
 *   managed.c   procs that this process has started
 *   record.c    entries as they are shown
 */
#ifndef HM_HOST_PRIVATE_H
#define HM_HOST_PRIVATE_H

#include <hostmux/host.h>
#include <hostmux/json.h>

#include "host/registry.h"
#include "proc/agent.h"
#include "proc/host_proc.h"
#include "route/gate.h"
#include "route/router.h"

struct watcher;
struct reap;

/* Who asked for the end of the host and waits for it; later ones are told no
 * more than that it is ending. */
#define END_ASKERS 16u

struct hm_host {
	struct hm_loop *loop;
	struct hm_limits limits;
	struct hm_router *router;
	struct hm_proc *service, *local;
	struct hm_actor *agent; /* host_agent */
	struct gate gate;
	struct onward onward;
	struct registry names;
	struct entry *spare; /* for the peer that greets */
	struct watcher *watchers;
	size_t nwatchers, nwaiters;
	struct reap *reaps;
	struct hm_manager **managers; /* NULL-ended */
	char frontend[HM_ADDR_SIZE], backend[HM_ADDR_SIZE];
	char dir[HM_ADDR_SIZE]; /* of sockets, "" when abstract */
	bool local_active;
	/* the end */
	uint64_t timeout;
	unsigned max;
	bool ending, closing;
	struct reap *last_reap;
	struct hm_id askers[END_ASKERS];
	size_t naskers;
	unsigned failed;
	struct hm_timer timer;
	void (*done)(void *arg, unsigned failed);
	void *done_arg;
	void (*asked)(void *arg, uint64_t timeout);
	void *asked_arg;
};

/* host.c.  Begins what is posted with hm_post_json: {"ok":true… */
void answer_begin(struct hm_json_out *out);
/* Somebody who may wants the host to end. */
void host_asked_to_end(struct hm_host *host);
/* A reap is over; perhaps the one that ends everything. */
void host_reaped(struct hm_host *host, const struct reap *reap);

/* listen.c: listens on everything, finds the id address, sets routes. */
int host_listen(struct hm_host *host, const struct hm_host_config *config,
    struct hm_error *err);

/* leftover.c: removes dead sockets of procs from dir. */
void host_remove_leftovers(const char *dir);

/* life.c */
extern const struct router_ops host_router_ops;
/* The status of a living entry changes; an illegal change is logged and
 * nothing is done (-1). A terminal one ends its life, now or very soon. */
int life_change(struct entry *entry, const struct hm_status *to);
/* The life of entry ends with the status it has: its name is free, whoever
 * waits is told.  Frees what is not kept. */
void life_end(struct entry *entry);
/* Ends as Failed, with that reason. */
void life_fail(struct entry *entry, const char *reason);
/* Its owner is lost: Failed now, free a second later. */
void life_lose(struct entry *entry);
/* May a peer, or a reservation, have that name? */
int life_check_name(
    const struct hm_host *host, const char *name, struct hm_error *err);
/* The rest of what makes entry a living one of host. */
void life_begin(struct hm_host *host, struct entry *entry);

/* watch.c */
/* Takes request, which has been checked. -1: too many, or ENOMEM. */
int watch_add(struct hm_host *host, const struct hm_id *to, struct entry *asker,
    struct hm_json *request);
void watch_tell(struct entry *entry);
void watch_progress(void *arg);
/* What was sent to that port came back. */
void watch_returned(struct hm_host *host, const struct hm_id *to);
/* Takes msg, to be answered when entry has ended.  -1: too many, or ENOMEM. */
int wait_add(struct entry *entry, struct entry *asker, struct hm_envelope *msg);
void wait_answer(struct entry *entry);
/* asker has gone: whatever it watches or waits for is forgotten. */
void watch_forget(struct entry *asker);
void watch_end(struct hm_host *host);

/* reap.c */
enum reap_kind { REAP_TERMINATE, REAP_KILL, REAP_WAIT };
struct reap_spec {
	enum reap_kind kind;
	bool all;
	bool starting; /* of all: also attempts that are under way */
	const struct hm_json *names; /* an array of strings, unless all */
	uint64_t timeout, deadline;  /* ms; deadline 0: none */
	unsigned max;
	const char *reason;
	struct entry *asker;	/* or NULL */
	const struct hm_id *to; /* or NULL: nobody is told */
};
/* NULL: ENOMEM.  It does nothing before reap_go, and may be over, and gone,
 * when that returns: only compare. */
struct reap *reap_new(struct hm_host *host, const struct reap_spec *spec);
void reap_go(struct reap *reap);
/* The grace is over: everything left is killed. */
void reap_kill(struct reap *reap);
/* Called by life_end. */
void reap_ended(struct entry *entry);
/* The owner or agent of entry cannot end it. */
void reap_failed(struct entry *entry, const char *why);
/* asker has gone: it is told no more, and what only waited is over. */
void reap_forget(struct entry *asker);
void reap_end(struct hm_host *host);
/* "attempted" … "failed" into an open object. */
void reap_put_summary(const struct reap *reap, struct hm_json_out *out);

/* naming.c: a living entry of that name, which may be had, with a token;
 * routed: what is for it waits until a peer boots under it. */
struct entry *name_reserve(
    struct hm_host *host, const char *name, bool routed, struct hm_error *err);

/* managed.c */
int managed_begin(struct hm_host *host, struct hm_manager *const *managers,
    struct hm_error *err);
/* Kills what is left. */
void managed_end(struct hm_host *host);
/* entry is ending: its handle is not followed any more. */
void managed_forget(struct entry *entry);
/* Its agent could not be asked to stop. */
void managed_unheard(struct entry *entry);
/* Its end is asked for; -1 with why not. */
int managed_ask(const struct entry *entry, const struct reap_spec *spec,
    const char *reason, bool kill, struct hm_error *why);

/* control.c */
int control_handle(struct hm_actor *self, struct hm_envelope *msg);
void control_returned(struct hm_actor *self, struct hm_envelope *env);
/* A record of the entry, as a member of an open object or array. */
void entry_put(const struct entry *entry, struct hm_json_out *out,
    const char *key, bool tail);
/* "procs": [record…]; names NULL: the living procs, with all everything. */
void entries_put(const struct hm_host *host, struct hm_json_out *out,
    const struct hm_json *names, bool all, bool tail);

#endif
