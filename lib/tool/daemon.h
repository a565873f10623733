/*
 * Going into the background: the caller's process stays until the child is
 * ready, prints what it has to say, and ends with its status; the child lives
 * on in a session of its own, with none of the caller's descriptors.
 */
#ifndef HM_DAEMON_H
#define HM_DAEMON_H

#include <stddef.h>

struct daemon {
	int report; /* where the child tells that it is ready; -1: foreground */
};

/*
 * Forks.  Returns in the child only, 0; or -1 with errno.  In the parent it
 * does not return: it prints what daemon_ready was given and exits 0, or, when
 * the child ends before that, prints otherwise and exits as it did.
 */
int daemon_start(struct daemon *daemon, const char *otherwise);
/* Hands text to the parent; stdin is /dev/null, stdout and stderr go to log
 * from now on.  -1 with errno: nothing is changed (log cannot be opened). */
int daemon_ready(
    struct daemon *daemon, const char *text, size_t len, const char *log);

#endif
