/*
 * The child's side of the callback connection: what a proc says to whoever
 * spawned it, and the end of which is the end of its supervisor.
 */
#ifndef HM_LIFELINE_H
#define HM_LIFELINE_H

#include <stdbool.h>

#include <hostmux/addr.h>
#include <hostmux/error.h>

#include "boot/talk.h"

struct lifeline {
	struct talk talk;
	struct hm_addr addr;
	struct hm_timer retry;
	struct hm_json_out first; /* what is said once connected */
	bool waiting;		  /* "first" is unanswered */
	/* The first line is answered: NULL, or why it was refused. */
	void (*answered)(void *arg, const char *error);
	/* It is over.  NULL: nobody is told. */
	void (*broken)(void *arg);
	void *arg;
};

/*
 * Connects to addr and says first, which it takes; loop, answered, broken and
 * arg are set.  -1 with a sentence.
 */
int lifeline_call(struct lifeline *line, struct hm_loop *loop, const char *addr,
    struct hm_json_out *first, struct hm_error *err);
/* Waits (the loop does not turn) until the answer is there or it is over. */
void lifeline_await(struct lifeline *line);
/* The same until all is said, for a second at most. */
void lifeline_flush(struct lifeline *line);
void lifeline_fini(struct lifeline *line);

#endif
