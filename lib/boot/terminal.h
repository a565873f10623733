/*
 * The terminal of a wrapper.  CMD has a group of its own, so it is handed the
 * terminal while this process's job has it; and when CMD stops (^Z), this
 * process stops as well, or the shell would wait for ever.
 */
#ifndef HM_TERMINAL_H
#define HM_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>

struct terminal {
	pid_t group; /* CMD's; 0: stdin is no terminal, or CMD has ended */
	bool given;
};

/* CMD has been started as the leader of group. */
void terminal_begin(struct terminal *terminal, pid_t group);
/* A child has changed (SIGCHLD): if CMD has stopped, stops this process. */
void terminal_watch(struct terminal *terminal);
/* This process goes on (SIGCONT): whoever is in front now has the terminal. */
void terminal_continue(struct terminal *terminal);
/* CMD has ended, or is not waited for. */
void terminal_end(struct terminal *terminal);

#endif
