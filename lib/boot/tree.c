/*
 * The hunt.
 *
 * Every leader is the subreaper of its tree, and this process is one too: when
 * a leader dies, all it leaves becomes, branch by branch, children of this
 * process.  A child that has not been reaped keeps its number, so signalling
 * strays by pid (and by group, where a stray leads one: setsid does that)
 * cannot hit anybody else, and no descriptor is needed for it.  What lies
 * below a stray falls here when the stray has died, and is found by the sweep
 * that its SIGCHLD brings about; so the hunt ends only when nothing is left.
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "boot/tree.h"

/* What forks while it is hunted is hunted faster than it forks. */
#define ROUNDS 64
/* What was killed and has not ended: SIGCHLD will tell, but look again. */
#define AGAIN_MS 100

void
tree_fini(struct tree *tree)
{
	free(tree->found);
	free(tree->strays);
	memset(tree, 0, sizeof *tree);
}

/* The children of this process, sorted, in tree->found; their number. */
static long
list_children(struct tree *tree)
{
	pid_t *more;
	long n;

	for (;;) {
		n = sys_children(getpid(), tree->found, tree->cap);
		if (n == -1 || (size_t)n <= tree->cap)
			return n;
		more = realloc(
		    tree->found, ((size_t)n + 64) * sizeof *tree->found);
		if (more == NULL)
			return -1;
		tree->found = more;
		tree->cap = (size_t)n + 64;
	}
}

static int
compare(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* Are strays going to be seen?  Then leader, a child that is not reaped yet, is
 * seen too. */
static bool
can_see(struct tree *tree, pid_t leader)
{
	long n, i = 0;

	if (tree->sight == TREE_UNKNOWN) {
		n = list_children(tree);
		while (i < n && tree->found[i] != leader)
			i++;
		tree->sight = i < n ? TREE_SEES : TREE_BLIND;
	}
	return tree->sight == TREE_SEES;
}

void
tree_orphan(struct tree *tree, pid_t leader, bool kill_now)
{
	if (!can_see(tree, leader) || kill_now) {
		(void)kill(-leader, SIGKILL);
		return;
	}
	(void)kill(-leader, SIGTERM);
	(void)kill(-leader, SIGCONT);
}

static void
signal_stray(pid_t pid, int sig)
{
	if (pid <= 1)
		return;
	if (getpgid(pid) == pid)
		(void)kill(-pid, sig);
	else
		(void)kill(pid, sig);
}

static int
strays_grow(struct tree *tree, size_t n)
{
	struct stray *more;

	if (n <= tree->cstrays)
		return 0;
	more = realloc(tree->strays, (n + 64) * sizeof *more);
	if (more == NULL)
		return -1;
	tree->strays = more;
	tree->cstrays = n + 64;
	return 0;
}

static bool
has_ended(pid_t pid)
{
	double cpu;
	uint64_t peak;
	int status;

	return sys_reap(pid, &status, &cpu, &peak) != 0;
}

/* Known since an earlier sweep? */
static uint64_t
due_of(const struct tree *tree, size_t known, pid_t pid)
{
	const struct stray *stray =
	    known == 0
		? NULL
		: bsearch(&pid, tree->strays, known, sizeof *stray, compare);

	return stray == NULL ? 0 : stray->due;
}

/* When a stray first seen now is killed. */
static uint64_t
due_from(const struct tree *tree, uint64_t now)
{
	if (tree->patience == 0 || tree->patience > now + TREE_GRACE_MS)
		return now + TREE_GRACE_MS;
	return tree->patience > now ? tree->patience : now;
}

/* tree->found has n children: the living strays among them become the new
 * list.  The number of those seen for the first time, or for the last: one that
 * has ended since it was listed may have left others, which are not. */
static long
sort_out(struct tree *tree, size_t n, bool (*own)(void *arg, pid_t pid),
    void *arg, uint64_t now)
{
	size_t i, known = tree->nstrays, m = known;
	long fresh = 0;
	uint64_t due;

	if (n > 0)
		qsort(tree->found, n, sizeof *tree->found, compare);
	if (strays_grow(tree, known + n) == -1)
		return -1;
	for (i = 0; i < n; i++) {
		if (own != NULL && own(arg, tree->found[i]))
			continue;
		if (has_ended(tree->found[i])) {
			fresh++;
			continue;
		}
		due = due_of(tree, known, tree->found[i]);
		if (due == 0) {
			fresh++;
			due = due_from(tree, now);
			signal_stray(tree->found[i], SIGTERM);
			signal_stray(tree->found[i], SIGCONT);
		}
		tree->strays[m].pid = tree->found[i];
		tree->strays[m++].due = due;
	}
	tree->nstrays = m - known;
	if (tree->nstrays > 0)
		memmove(tree->strays, tree->strays + known,
		    tree->nstrays * sizeof *tree->strays);
	return fresh;
}

long
tree_sweep(struct tree *tree, bool (*own)(void *arg, pid_t pid), void *arg,
    uint64_t now, bool kill_now, uint64_t *due)
{
	long n, fresh = 1;
	size_t i;
	int round;

	*due = 0;
	if (tree->sight != TREE_SEES)
		return 0;
	for (round = 0; round < ROUNDS && fresh > 0; round++) {
		n = list_children(tree);
		if (n == -1 && errno == ENOTSUP)
			return 0;
		if (n != -1)
			fresh = sort_out(tree, (size_t)n, own, arg, now);
		if (n == -1 || fresh == -1) {
			*due = now + AGAIN_MS; /* not seen is not gone */
			return -1;
		}
		*due = 0;
		for (i = 0; i < tree->nstrays; i++) {
			if (kill_now || tree->strays[i].due <= now)
				signal_stray(tree->strays[i].pid, SIGKILL);
			else if (*due == 0 || tree->strays[i].due < *due)
				*due = tree->strays[i].due;
		}
	}
	/* What was last seen ending may have left others. */
	n = (long)tree->nstrays + (fresh > 0);
	if (*due == 0 && n > 0)
		*due = now + AGAIN_MS;
	return n;
}
