/*
 * A client: how a message program takes part.  It is attached to the host, or,
 * with --listen, a stand-alone proc that serves its own address and dials
 * whatever it sends to.
 */
#ifndef HM_CLIENT_H
#define HM_CLIENT_H

#include "tool/tool.h"

struct client {
	struct tool *tool;
	const char *host, *listen; /* of -H and --listen, or NULL */
	struct hm_limits limits;
	struct hm_loop *loop;
	struct hm_proc *proc;
};

/* Before any descriptor is opened: 0, 1 and 2 are not to be given to sockets
 * when the caller had them closed. */
void client_begin(void);
/* name: NULL for any.  0, or what to exit with (said already). */
int client_open(struct client *client, const char *name);
/* Leaves in order; what was not taken is returned. */
void client_close(struct client *client);
/* The address that a destination without one is on.  -1 with a sentence. */
int client_base(
    const struct client *client, char base[HM_ADDR_SIZE], struct hm_error *err);
/* "w1,main[0][0]" of an id, which points into text. */
const char *client_short(const struct hm_id *id, char text[HM_ID_TEXT]);

#endif
