/*
 * A proc and its actors, private to lib/proc.
 *
 * A proc is a router_local; its actors and their ports are found by linear
 * search in short lists (a proc has few actors with names) and by a hash of
 * port numbers for once ports, of which a caller may have thousands.
 */
#ifndef HM_PROC_PRIVATE_H
#define HM_PROC_PRIVATE_H

#include <hostmux/proc.h>

#include "route/router.h"
#include "wire/record.h"

struct port {
	struct port *next; /* in the bucket */
	struct hm_actor *actor;
	uint64_t number;
	hm_handler *handle;
	bool once;
};

#define PORT_BUCKETS 256u

struct hm_actor {
	struct hm_actor *next;
	struct hm_proc *proc;
	struct hm_id id;
	hm_handler *handle;
	void *arg;
	void (*returned)(struct hm_actor *self, struct hm_envelope *env);
	void (*delivered)(struct hm_actor *self, const struct hm_envelope *env);
	struct hm_envelope *mailbox, **mailbox_end; /* waiting, in order */
	size_t waiting;
	bool paused, busy, ended;
	char refusal[HM_ERROR_TEXT];
	uint64_t messages; /* handled */
	/* a call of hm_call under way */
	struct call *calls; /* that are waited for, innermost first */
};

struct hm_proc {
	struct router_local local; /* first */
	struct hm_router *router;
	struct hm_loop *loop;
	bool own_loop, own_router, stopped, dying;
	/* a lost link is attached again under the same name until then */
	bool redial, joined;
	uint64_t redial_until;
	struct hm_timer redial_timer;
	struct hm_addr host_addr; /* dialed */
	struct hm_id id;
	char host[HM_ADDR_SIZE];
	struct hm_limits limits;
	struct hm_actor *actors;
	struct port *ports[PORT_BUCKETS];
	uint64_t next_port;
	int status;
	unsigned draining;   /* walks over actors under way */
	struct hm_task task; /* mailboxes of actors that were resumed */
	/* What came with the greeting, for actors that are not there yet,
	 * waits until the loop is turned again. */
	bool early;
	struct hm_envelope *first, **first_end;
	struct hm_task early_task;
	/* what was made for it, and goes with it */
	void (*closing)(void *arg);
	void *closing_arg;
	void (*progress)(void *arg);
	void *progress_arg;
	void (*lost)(void *arg, const char *why);
	void *lost_arg;
	void (*stop)(void *arg, const char *reason);
	void *stop_arg;
	/* attaching */
	struct hm_error attach_err;
	int attach_state; /* 0 under way, 1 in, -1 refused */
};

/* actor.c */
void proc_deliver(struct router_local *local, struct hm_envelope *env);
void proc_returned(struct router_local *local, struct hm_envelope *env);
void proc_delivered(struct router_local *local, const struct hm_envelope *env);
void proc_drain(void *arg);
void proc_early_over(void *arg);
struct port *port_find(
    struct hm_proc *proc, const struct hm_actor *actor, uint64_t number);
void actor_free(struct hm_actor *actor);

/* call.c: true if env is the question of a call under way, which fails. */
bool call_returned(struct hm_actor *actor, const struct hm_envelope *env,
    enum hm_outcome kind, struct hm_slice why);

#endif
