/*
 * A ward: one proc of a supervisor, between its handle, the host and the front.
 *
 * What becomes of the handle is told to the host (which binds the name,
 * publishes statuses, frees the name) and to the front.  The front is told
 * last: when it says that a spawn has failed, the name is free already, and no
 * process is left.
 *
 * A ward that the host has bound is a proc there and ends with a status; one
 * that it has not is unbound, and was none.
 */
#ifndef HM_WARD_H
#define HM_WARD_H

#include <hostmux/manager.h>

#include "boot/payload.h"
#include "boot/sink.h"
#include "boot/supervisor.h"
#include "boot/talk.h"

#define CONTROL_MS 30000

struct ward {
	struct supervisor *sup;
	struct hm_id id;
	unsigned rank;
	char token[PAYLOAD_TOKEN];
	struct hm_handle *handle; /* NULL: it could not be started */
	struct hm_error why;	  /* then */
	struct hm_waiter waiter;
	uint64_t port;	/* of the host's answer, 0: none is awaited */
	bool bound;	/* a proc at the host */
	bool told;	/* the front knows: ready, or failed */
	bool cancelled; /* to end before it was started */
	bool over;
};

struct supervisor {
	const struct job *job;
	struct hm_loop *loop;
	struct hm_proc *proc;
	struct hm_actor *agent;
	struct hm_proc *lines; /* posts to ports; NULL: there are none */
	struct hm_manager *manager;
	struct sinks sinks;
	struct talk front;
	char host_id[HM_ADDR_SIZE], backend[HM_ADDR_SIZE], dir[HM_ADDR_SIZE];
	int will;
	bool released; /* the front may go */
	bool lost;     /* the host is */
	bool ending;
	bool no_more;  /* who has not started yet stays so */
	unsigned left; /* wards that are not over */
	struct ward *wards;
};

/* Names it, rank i of sup's. */
void ward_init(struct ward *ward, struct supervisor *sup, unsigned i);
/* It was started: its handle is watched.  Or it could not be: ward->why. */
void ward_begin(struct ward *ward, struct hm_handle *handle);
/* It has called back: the host is to bind it. */
void ward_bind(struct ward *ward, const char *addr, const char *agent);
/* The link of that proc to the host broke: it is ended as by terminate.  arg is
 * not used. */
void ward_cut(void *arg, struct hm_handle *handle, const char *why);
/* The host will not answer any more. */
void ward_lost(struct ward *ward);

void front_say_fatal(struct supervisor *sup, const struct hm_error *err);
/* The supervisor's log. */
void front_say_log(void *arg, enum hm_level level, const char *text);
/* The warden is to remove the socket at addr when the supervisor cannot. */
void will_write(const struct supervisor *sup, const char *addr);

/* enlist.c: a client of the host; all names of the job, or none; the sinks, and
 * a link of their own if they have a port among them.  -1 (NULL) with err. */
struct hm_proc *enlist_client(struct supervisor *sup, struct hm_error *err);
int enlist_names(struct supervisor *sup, struct hm_error *err);
int enlist_sinks(struct supervisor *sup, struct hm_error *err);

#endif
