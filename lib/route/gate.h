/*
 * A gate: the sender that leads into a router, from this process.
 *
 * An envelope that came from elsewhere (it has a source) stays behind, without
 * its payload, and a copy goes on; how that one is settled, it is.
 */
#ifndef HM_GATE_H
#define HM_GATE_H

#include <hostmux/channel.h>

#include "route/router.h"

/* What has no other way out of a router goes on to a sender. */
struct onward {
	struct router_local rest; /* first */
	struct hm_sender *to;
};

struct gate {
	struct hm_sender sender; /* first */
	struct router_local local;
	struct hm_channel_events events; /* closed is not a gate's */
};

/* 0, or -1 and ENOMEM. */
int gate_open(struct gate *gate, struct hm_router *router);
/* What is on its way through it is settled all the same. */
void gate_close(struct gate *gate);

/* Fills rest in: what comes is given to take; it posts nothing itself. */
void rest_init(struct router_local *rest,
    void (*take)(struct router_local *local, struct hm_envelope *env));
/* 0, or -1 and ENOMEM.  to is borrowed. */
int onward_open(
    struct onward *onward, struct hm_router *router, struct hm_sender *to);
void onward_close(struct onward *onward);

#endif
