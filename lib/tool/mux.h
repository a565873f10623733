/*
 * What host-mux is made of: its addresses, its locks, its announcement, and
 * its end.
 */
#ifndef HM_MUX_H
#define HM_MUX_H

#include "boot/init.h"
#include "host/lock.h"
#include "tool/daemon.h"
#include "tool/tool.h"

#define MUX_MAX 16 /* of each option that may be repeated */

struct mux {
	struct tool *tool;
	/* options */
	struct tool_list listen, as, routes;
	const char *backend, *log, *bits; /* bits: of the mode */
	unsigned mode;
	uint64_t timeout, max;
	bool background, relay;
	int ready_fd;
	char **command; /* NULL: none */
	/* addresses */
	char chosen[HM_ADDR_SIZE]; /* the Unix one, if none was given */
	char dir[HM_ADDR_SIZE];	   /* private, removed at the end; or "" */
	struct lock locks[MUX_MAX + 2];
	size_t nlocks;
	/* serving */
	struct daemon daemon;
	struct hm_limits limits;
	struct hm_loop *loop;
	struct hm_host *host;
	unsigned signals; /* that want the end, so far */
	bool done;
	int status;
	/* the command */
	struct init init;
	struct child cmd;
	bool ended, quiet;     /* it has; the host has ended too */
	uint64_t deadline;     /* of the whole end, 0: it has not begun */
	struct hm_timer timer; /* kills CMD then */
};

/* mux_addr.c: settles where to listen, and locks it.  -1 with a sentence. */
int mux_addresses(struct mux *mux, struct hm_error *err);
/* Lets go of all that, and removes what is private. */
void mux_leave(struct mux *mux);

/* mux_run.c: the host listens; -1 with a sentence. */
int mux_serve(struct mux *mux, struct hm_error *err);
/* Tells everybody: for eval, s6, systemd, and whom it may concern. */
int mux_announce(struct mux *mux, struct hm_error *err);
/* Turns until the end; the status to exit with. */
int mux_run(struct mux *mux);
/* The host's orderly end, with what is left of the time. */
void mux_end(struct mux *mux, const char *reason);

/* mux_command.c: runs CMD.  -1 with a sentence; the status is set. */
int command_start(struct mux *mux, struct hm_error *err);
/* CMD has until the deadline; 0: it is killed now. */
void command_hurry(struct mux *mux, uint64_t ms);
/* The host has ended: what CMD left is hunted, and then all is done. */
void command_sweep(struct mux *mux);
void command_fini(struct mux *mux);

#endif
