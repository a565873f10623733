/*
 * A runner: CMD behind the actor "main" of a proc, from its start until what
 * it printed is settled.  What a message means to CMD is a mode's business.
 */
#ifndef HM_RUNNER_H
#define HM_RUNNER_H

#include <hostmux/proc.h>

#include "boot/boot.h"
#include "boot/init.h"

struct runner;

struct mode {
	/* One process from the start; else one for each message. */
	bool whole;
	/* Of main, whose arg is the runner. */
	hm_handler *take;
	/* Starts CMD, or looks whether it could.  -1: as child_start. */
	int (*start)(struct runner *r, int *status, struct hm_error *err);
	/* Nothing more is taken: what CMD has is to be finished.  Called again
	 * when CMD has ended (then no more of it can be). */
	void (*stop)(struct runner *r);
	/* Room has come; or, when r->last is set, nobody is left who could
	 * print, and what there is is to be read.  NULL, as the next two: it
	 * reads nothing of CMD. */
	void (*progress)(struct runner *r);
	/* Is all that CMD printed posted? */
	bool (*dry)(const struct runner *r);
	void (*fini)(struct runner *r);
	/* msg (borrowed) came back: runner_forget, now or later.  NULL: it is
	 * logged. */
	void (*returned)(struct runner *r, struct hm_envelope *msg);
};

extern const struct mode mode_plain, mode_lines, mode_exec, mode_frames;

struct runner {
	/* set before it runs */
	struct hm_loop *loop;
	struct hm_proc *proc;
	struct boot *boot; /* NULL: joined by itself */
	const struct mode *mode;
	char *const *argv;
	struct hm_limits limits;
	const char *to; /* as it was given, or NULL */
	unsigned max;	/* of --exec */
	bool json;	/* of --frames */
	struct init init;

	void *state; /* the mode's */
	struct hm_actor *main;
	struct child cmd;
	struct hm_id dest; /* what "to" means */
	uint64_t out;	   /* bytes posted and not settled */
	sigset_t early;	   /* came before CMD was there */
	bool started;
	bool stopping; /* takes no more */
	bool told;     /* CMD has got the SIGTERM that is to come */
	bool ended;    /* CMD has */
	bool last;     /* and all its tree */
	bool answered; /* the callback is */
	bool broken;   /* the lifeline, or for good the link of --join */
	bool done;
	struct hm_timer grace;
	uint64_t timeout; /* ms that who joined has to stop */
	int wait_status;
	int status;   /* to exit with */
	char why[64]; /* "Stopped(exit=5)" */
};

/* Takes the signals; loop and mode are set.  0 or -1. */
int runner_begin(struct runner *r);
/* Runs CMD to its end: what to exit with, and a sentence in err unless that is
 * CMD's own status.  proc … json are set. */
int runner_run(struct runner *r, struct hm_error *err);
void runner_fini(struct runner *r);

/* --- for modes */

/* Starts CMD with the descriptors of spawn. */
int runner_start(
    struct runner *r, struct spawn *spawn, int *status, struct hm_error *err);
/* SIGTERM to CMD, and SIGCONT so that it hears it. */
void runner_terminate(struct runner *r);
/* No command of the mode is left, and none will be. */
void runner_ended(struct runner *r);
/*
 * posted.c.  Posts env: 0, or 1 where it cannot be posted at all (that is
 * logged), and takes it; or -1, not before progress.  stream: waits as soon as
 * the way is full; answers wait only when too much is unsettled, so that one
 * who does not take them does not hold up others.
 */
int runner_post(struct runner *r, struct hm_envelope *env, bool stream);
/* The same with a message made of bytes; dest NULL: to --to. */
int runner_say(struct runner *r, const struct hm_id *dest, const char *type,
    const void *bytes, size_t len);
/* An answer that there will not be: who waits for it at dest is told why. */
int runner_deny(struct runner *r, const struct hm_id *dest, const char *why);
/* What was posted is settled (by its returning). */
void runner_forget(struct runner *r, const struct hm_envelope *env);
/* Settles what CMD was to get, and will not any more. */
void runner_refuse(struct runner *r, struct hm_envelope *msg);
/* Something has been finished: is this the end? */
void runner_look(struct runner *r);
const char *runner_name(const struct runner *r);

/* joined.c: tells the host how CMD has ended. */
void joined_ended(struct runner *r);

#endif
