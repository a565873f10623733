/*
 * What procs that have ended leave behind, hunted until nothing is left.
 */
#ifndef HM_TREE_H
#define HM_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Grace between SIGTERM and SIGKILL of what a leader left: of all of it, so
 * that what hears no SIGTERM and forks before it ends does not get a second
 * with each fork. */
#define TREE_GRACE_MS 1000
/* A leader's end is told so much later at most, whatever it left. */
#define TREE_MAX_MS 5000

struct stray {
	pid_t pid;
	uint64_t due; /* when it is killed */
};

struct tree {
	enum { TREE_UNKNOWN, TREE_SEES, TREE_BLIND } sight;
	pid_t *found;
	size_t cap;
	struct stray *strays; /* by pid */
	size_t nstrays, cstrays;
	uint64_t patience; /* nothing has grace beyond this; 0: all have */
};

void tree_fini(struct tree *tree);
/*
 * Signals the group of a leader that has ended and is not reaped yet: its
 * number cannot belong to anybody else.  Where strays cannot be seen (no
 * subreaper: set sight to TREE_BLIND; no /proc) this is all there is, and it is
 * SIGKILL.
 */
void tree_orphan(struct tree *tree, pid_t leader, bool kill_now);
/*
 * One sweep over the strays: those that ended are reaped, new ones get SIGTERM
 * and SIGCONT, those that are due (all of them with kill_now) SIGKILL.  own
 * says which children are not strays (NULL: all are).  The number left; *due is
 * when to sweep again at the latest (0: never).  -1 ENOMEM.
 */
long tree_sweep(struct tree *tree, bool (*own)(void *arg, pid_t pid), void *arg,
    uint64_t now, bool kill_now, uint64_t *due);

#endif
