/*
 * One child: forked and executed so that no signal for it is lost, that its
 * exec error is known at once, and that nothing of the spawner leaks into it.
 */
#ifndef HM_SPAWN_H
#define HM_SPAWN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What signals and limits were when the program started: children get them. */
struct inheritance {
	sigset_t mask, ignored;
	uint64_t files; /* the soft limit, 0: as it is */
};

struct spawn {
	char *const *argv;
	char *const *env;
	const char *dir;  /* NULL: this process's */
	int in, out, err; /* borrowed; CLOEXEC or not */
	const struct inheritance *inherit;
	bool orphans;	  /* of its tree fall to this process, not to it */
	const int *extra; /* NULL, or two, 5 and up, that become 3 and 4 */
};

/* As things are now, before signals are taken and limits raised. */
void inheritance_get(struct inheritance *inherit);
/* Signals as they were; async-signal-safe. */
void inheritance_restore(const struct inheritance *inherit);
/* A pipe for a child: ours does not block, theirs does.  -1 with errno, and
 * both are -1. */
int spawn_pipe(int *ours, int *theirs, bool to_child);
/* A descriptor that was the child's; -1 is harmless, errno stays. */
void spawn_close(int fd);
/*
 * The pid of a child that has executed argv: leader of a group of its own,
 * killed when this process dies and subreaper of its own tree (on Linux).  -1
 * with errno and, in *what, what could not be done: "fork", or the file.
 */
pid_t spawn_child(const struct spawn *spawn, const char **what);
/* kill of the group of that child, which is not reaped yet. */
void signal_group(pid_t pid, int sig);

#endif
