/*
 * Init: what this process owes its children.  It hears of every end, reaps
 * orphans, passes signals on, and hunts what is left in the end.
 */
#ifndef HM_INIT_H
#define HM_INIT_H

#include <hostmux/error.h>
#include <hostmux/loop.h>

#include "boot/spawn.h"
#include "boot/terminal.h"
#include "boot/tree.h"

struct init;

/* A command that was started: one process, leader of its group. */
struct child {
	struct init *init;
	struct child *next;
	pid_t pid; /* 0 once it has ended */
	/* It has ended; may free child. */
	void (*ended)(void *arg, int status);
	void *arg;
};

struct init {
	struct hm_loop *loop;
	struct inheritance inherit; /* what commands get back */
	struct child *children;	    /* those that live */
	struct tree tree;
	struct hm_timer timer;
	struct terminal terminal;
	bool lasting; /* what a command leaves stays until the sweep */
	bool sweeping, hard;
	uint64_t kill_at; /* the sweep is hard from then on; 0: as hard says */
	uint64_t sweep_end;
	/* A signal has come that may be for the children. */
	void (*signalled)(void *arg, int sig);
	void *arg;
	void (*swept)(void *arg); /* nothing is left, or time is up */
};

/*
 * First of all in main: descriptors 0 to 4 are taken, all others closed, and
 * what signals and limits were is remembered.  0 or -1.
 */
int init_prepare(struct init *init);
/* Takes these signals, NULL: all that can be passed on; becomes a subreaper.
 * signalled, swept and arg are set. */
int init_begin(
    struct init *init, struct hm_loop *loop, const sigset_t *signals);
void init_fini(struct init *init);

/*
 * Starts it.  -1 with "CMD: why", and in *status what a wrapper exits with:
 * 125, 126, 127.
 */
int child_start(struct child *child, struct init *init, struct spawn *spawn,
    int *status, struct hm_error *err);
/* Could it be started?  The same without doing it. */
int child_find(const char *file, int *status, struct hm_error *err);
/* Signals the groups of all children. */
void init_signal(const struct init *init, int sig);
/* Ends what children have left, politely or (hard) not; then swept is called,
 * perhaps at once. */
void init_sweep(struct init *init, bool hard);
/* The same, politely until deadline, and soon over then; again with another
 * deadline. */
void init_sweep_by(struct init *init, uint64_t deadline);
/* Reaps whoever has ended: for one that has not begun. */
void init_reap(struct init *init);

#endif
