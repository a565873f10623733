/*
 * The spawner's side of the callback: one listening socket for all spawns of a
 * manager, told apart by their tokens, and a connection to each child that
 * stays open as its lifeline.  Both sides speak JSON, one object a line.
 */
#ifndef HM_CALLBACK_H
#define HM_CALLBACK_H

#include <hostmux/addr.h>

#include "base/sys.h"
#include "boot/talk.h"

/* A token, an address, an id, a sentence: a quarter of this. */
#define CALLBACK_LINE_MAX 4096

struct callback {
	struct talk talk;
	struct callbacks *server;
	struct callback *next;
	void *owner; /* whose it is; NULL until its token was seen */
};

struct callbacks {
	struct hm_loop *loop;
	struct hm_watch watch; /* fd -1: not served */
	struct hm_timer rest;  /* from accepting, with no descriptors left */
	struct hm_addr addr;
	struct sys_bound bound;
	struct callback *calls;
	struct callback *next; /* to be heard by callbacks_drain */
	unsigned unclaimed;
	/* A line has come.  -1: this connection is not wanted; it must not be
	 * closed otherwise. */
	int (*said)(
	    void *arg, struct callback *call, const struct hm_json *line);
	/* The connection of owner is no more. */
	void (*closed)(void *arg, void *owner);
	void *arg;
};

/* Listens in dir; loop, said, closed and arg are set. */
int callbacks_serve(
    struct callbacks *server, const char *dir, struct hm_error *err);
/* Closes everything and removes the socket. */
void callbacks_fini(struct callbacks *server);
/* Takes every call and line that is there now, without waiting. */
void callbacks_drain(struct callbacks *server);
void callback_claim(struct callback *call, void *owner);
void callback_close(struct callback *call);

#endif
