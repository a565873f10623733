/*
 * The router: one per node.  It knows the names behind its own addresses
 * (links, reservations, bound addresses), the local procs of this process, the
 * links to other hosts, and passes every message to the first of them that
 * fits (hostmux(7), "Routing").  Settlements go back the way messages came.
 *
 * Who owns what: the router owns its listeners, connections and links; local
 * procs belong to the proc layer and are only registered here.  The owner of
 * the router (a host, or a proc) decides through struct router_ops who may
 * greet under which name.
 */
#ifndef HM_ROUTER_H
#define HM_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hostmux/addr.h>
#include <hostmux/error.h>
#include <hostmux/limits.h>
#include <hostmux/loop.h>

#include "wire/record.h"

struct hm_router;

/* What a peer says it is, and what the kernel says of it. */
struct router_greeting {
	enum hm_hello_kind kind;    /* ATTACH, JOIN, BOOT, HOST */
	char name[HM_NAME_MAX + 1]; /* asked for; "" */
	char token[65];		    /* BOOT; "" */
	char addr[HM_ADDR_SIZE];    /* HOST: its id address */
	uint32_t uid, pid;	    /* HM_UID_UNKNOWN, 0 over TCP */
	bool remote;		    /* came by TCP */
};

struct router_ops {
	/*
	 * A peer has greeted.  0: it is let in, under the name left in
	 * greeting->name (the router has refused one that is linked already);
	 * -1 with kind and sentence: refused, the peer is told.  NULL: HOST is
	 * let in, everything else refused.
	 */
	int (*greet)(
	    void *arg, struct router_greeting *greeting, struct hm_error *err);
	/* The link of that name serves now / has ended ("" in order, else
	 * why).  In "gone" the name is still taken; it is free, and what
	 * waits for it is returned, once router_unbind is called (there or
	 * later).  Not called for HOST links.  Either may be NULL. */
	void (*up)(void *arg, const char *name);
	void (*gone)(void *arg, const char *name, const char *why);
	/* The link to the host this node is attached to is lost for good (what
	 * was unsettled has been returned).  May be NULL. */
	void (*lost)(void *arg, const char *why);
};

struct hm_router *router_new(struct hm_loop *loop,
    const struct hm_limits *limits, const struct router_ops *ops, void *arg,
    struct hm_error *err);
/* Closes everything at once: nothing is said to peers (see router_close). */
void router_free(struct hm_router *router);
/*
 * Ends in order: listeners gone, what waits to be written is written, links
 * say BYE.  router_closing is true until that is done or ms have gone; the
 * caller turns the loop.
 */
void router_close(struct hm_router *router, uint64_t ms);
bool router_closing(const struct hm_router *router);

/* This address is one of ours; the first told is the id address. */
int router_own(struct hm_router *router, const char *addr);
bool router_owns(const struct hm_router *router, struct hm_slice addr);
const char *router_id(const struct hm_router *router);
struct hm_loop *router_loop(const struct hm_router *router);
const struct hm_limits *router_limits(const struct hm_router *router);

/* Listens; got (may be NULL) is where.  dir and the rest as sys_listen.  Own
 * it too (router_own) if it is to be in ids or is the backend. */
int router_serve(struct hm_router *router, const struct hm_addr *addr,
    const char *dir, unsigned mode, bool replace, struct hm_addr *got,
    struct hm_error *err);
/* Closes the listeners and removes their sockets. */
void router_unserve(struct hm_router *router);
/* Peers of other uids are let through to ops->greet (host-mux -m); else the
 * router itself refuses all but its own uid and root on Unix sockets. */
void router_open_to_all(struct hm_router *router);
/* What is remote may be passed on to third hosts. */
void router_relay(struct hm_router *router);

/* Nothing leaves this process: what would is returned. */
void router_seal(struct hm_router *router);
/* A channel: links may carry any sender, in and out. */
void router_any_sender(struct hm_router *router);

/* Names behind our own addresses. reserve: messages for it wait until a peer
 * boots under it (ops->greet said yes).  bind: dialed at addr when there is
 * something to send.  -1: EEXIST, ENOMEM, EADDRINUSE (addr is our own). unbind:
 * the name is free, its link is closed, what waits is returned with why;
 * harmless if there is none. */
int router_reserve(struct hm_router *router, const char *name);
int router_bind(
    struct hm_router *router, const char *name, const struct hm_addr *addr);
void router_unbind(struct hm_router *router, const char *name, const char *why);
bool router_taken(const struct hm_router *router, const char *name);

/* Messages for addr (NULL: every unknown name of ours and every address we
 * cannot dial) go to via. */
int router_route(struct hm_router *router, const char *addr, const char *via);

/* The link to the host: dialed and greeted by whoever attaches. */
struct router_attach {
	const struct hm_addr *host;
	enum hm_hello_kind kind;  /* ATTACH, JOIN, BOOT */
	const char *name, *token; /* "" for none */
};
/* Begins; done once with the granted name and the host's id address, or with
 * err.  Everything without another way goes over this link. */
int router_attach(struct hm_router *router, const struct router_attach *how,
    void (*done)(void *arg, const char *name, const char *host_id,
	const struct hm_error *err),
    void *arg, struct hm_error *err);

struct router_stats {
	uint64_t msgs_in, msgs_out, bytes_in, bytes_out; /* as the proc sees it:
				in = delivered to it */
	uint64_t queued; /* messages waiting here for it */
	uint32_t uid, pid;
	bool linked, remote;
};
/* -1 if there is no such name. */
int router_stats(const struct hm_router *router, const char *name,
    struct router_stats *stats);

/* A local proc: messages for "addr of ours",name end in deliver, which takes
 * env and has it settled (router_settle) sooner or later. */
struct router_local {
	char name[HM_NAME_MAX + 1];
	char addr[HM_ADDR_SIZE]; /* "" = any of the router's own */
	void (*deliver)(struct router_local *local, struct hm_envelope *env);
	/* Room has come, or something posted here was settled. */
	void (*progress)(struct router_local *local);
	/* env, posted from here, was delivered; borrows it and must not post.
	 * May be NULL. */
	void (*delivered)(
	    struct router_local *local, const struct hm_envelope *env);
	/* env, posted from here, came back: its errors say why; takes it. */
	void (*returned)(struct router_local *local, struct hm_envelope *env);
	struct hm_router *router;
	struct router_local *next;
	uint64_t max;		   /* largest payload it takes, 0: the node's */
	bool passes;		   /* what it posts may be from anybody */
	struct store *stores;	   /* what comes for it in pieces, */
	struct store *untaken;	   /* and has been delivered */
	uint64_t untaken_bytes[2]; /* the small, the large */
	uint64_t moved;		   /* when it took something, or more came */
	struct hm_source *here; /* of what it posts to others in this process */
	size_t unsettled;	/* posted from here, LASTING ones not counted */
};
int router_add_local(struct hm_router *router, struct router_local *local);
/* The same (its name is ""), for what has no other way: in a sealed router all
 * that is not for its local procs, else unknown names of ours. */
int router_add_rest(struct hm_router *router, struct router_local *local);
void router_remove_local(struct router_local *local);
/*
 * Posts env from local (takes it on success): as hm_post.  checked: refuse
 * with EAGAIN when there is no room.
 */
int router_post(
    struct router_local *local, struct hm_envelope *env, bool checked);
/* Settles what was delivered here; takes env. */
void router_settle(struct hm_envelope *env, enum hm_outcome outcome,
    const char *reason, const char *at);
/* Asks for settlements of what was posted. */
void router_hurry(struct hm_router *router);

#endif
