/*
 * What host-mux is made of: its addresses, its locks, its announcement, and
 * its end.
 */
#ifndef HM_MUX_H
#define HM_MUX_H

#include "host/lock.h"
#include "tool/daemon.h"
#include "tool/tool.h"

#define MUX_MAX 16 /* of each option that may be repeated */

struct mux_list {
	const char *text[MUX_MAX + 2]; /* NULL-ended */
	size_t n;
};

struct mux {
	struct tool *tool;
	/* options */
	struct mux_list listen, as, routes;
	const char *backend, *log;
	unsigned mode, max;
	uint64_t timeout;
	bool background, relay;
	int ready_fd;
	char **command; /* NULL: none */
	/* addresses */
	char unixes[MUX_MAX + 2][HM_ADDR_SIZE]; /* the Unix ones, absolute */
	char dir[HM_ADDR_SIZE]; /* private, removed at the end; or "" */
	struct lock locks[MUX_MAX + 2];
	size_t nunixes, nlocks;
	/* serving */
	struct daemon daemon;
	struct hm_limits limits;
	struct hm_loop *loop;
	struct hm_host *host;
	unsigned signals; /* that want the end, so far */
	bool done;
	int status;
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

#endif
