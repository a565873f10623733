/*
 * What a leader leaves: its group, what called setsid, forks that go on
 * forking, and stopped ones; nothing of it survives, and a process that is
 * nobody's stray is not touched.
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"
#include "boot/tree.h"

#include "check.h"

static pid_t bystander;
static bool slow; /* what is looked at first has time to change */

static void
nap(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	(void)nanosleep(&t, NULL);
}

static bool
is_bystander(void *arg, pid_t pid)
{
	(void)arg;
	if (slow && pid != bystander) {
		slow = false;
		nap(30);
	}
	return pid == bystander;
}

/* A leader of its own group that runs script and ends. */
static pid_t
lead(const char *script)
{
	siginfo_t info;
	pid_t pid = fork();

	CHECK(pid != -1);
	if (pid == 0) {
		(void)setpgid(0, 0);
		(void)sys_subreaper();
		(void)execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	(void)setpgid(pid, pid);
	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
	return pid;
}

/* Sweeps until nothing is left: how long it took, in ms. */
static uint64_t
hunt(struct tree *tree, bool kill_now)
{
	uint64_t start = sys_now(), due;

	while (tree_sweep(tree, is_bystander, NULL, sys_now(), kill_now, &due) >
	       0) {
		CHECK(sys_now() - start < 4000);
		nap(5);
	}
	return sys_now() - start;
}

static uint64_t
leave(struct tree *tree, const char *script, bool kill_now)
{
	pid_t leader = lead(script);
	double cpu;
	uint64_t peak;
	int status;

	tree_orphan(tree, leader, kill_now);
	tree->patience = sys_now() + TREE_GRACE_MS;
	CHECK(sys_reap(leader, &status, &cpu, &peak) == leader);
	CHECK(WEXITSTATUS(status) == 3 && cpu >= 0 && peak > 0);
	return hunt(tree, kill_now);
}

/* Nobody but the bystander is left. */
static bool
alone(void)
{
	pid_t pids[16];

	return sys_children(getpid(), pids, 16) == 1 && pids[0] == bystander;
}

int
main(void)
{
	struct tree tree;

	memset(&tree, 0, sizeof tree);
	if (!sys_subreaper())
		return 0;
	bystander = fork();
	CHECK(bystander != -1);
	if (bystander == 0) {
		(void)setpgid(0, 0);
		(void)pause();
		_exit(0);
	}
	CHECK(leave(&tree, "exit 3", false) < 500);
	CHECK(tree.sight == TREE_SEES);
	/* The polite go at once. */
	CHECK(leave(&tree, "sleep 60 & setsid sleep 60 & exit 3", false) < 900);
	/* The stubborn at the end of their grace, wherever they are. */
	CHECK(leave(&tree,
		  "setsid sh -c 'trap \"\" TERM; setsid sleep 60 & "
		  "trap \"\" TERM; sleep 60 & sleep 60' & sleep .2; exit 3",
		  false) >= 900);
	/* At once when killed; stopped ones too. */
	CHECK(leave(&tree,
		  "setsid sh -c 'trap \"\" TERM; sleep 60 & kill -STOP $$' & "
		  "sleep .2; exit 3",
		  true) < 900);
	/* What forks and ends, forks and ends. */
	CHECK(leave(&tree,
		  "setsid sh -c 'f() { trap \"\" TERM; f & }; f' & sleep .1; "
		  "exit 3",
		  true) < 3000);
	/* And hears nothing: one second for all of it, not for each. */
	CHECK(leave(&tree,
		  "c='trap \"\" TERM; setsid sh -c \"$c\" & sleep .01'; "
		  "export c; sh -c \"$c\" & sleep .2; exit 3",
		  false) < 3000);
	/* One that ends while it is looked at may just have forked the next. */
	slow = true;
	CHECK(leave(&tree,
		  "c='setsid sh -c \"$c\" & sleep .01'; export c; "
		  "sh -c \"$c\" & sleep .1; exit 3",
		  true) < 3000);
	CHECK(alone());
	CHECK(kill(bystander, 0) == 0);
	CHECK(alone());
	CHECK(kill(bystander, SIGKILL) == 0);
	CHECK(waitpid(bystander, NULL, 0) == bystander);
	tree_fini(&tree);
	return 0;
}
