/*
 * Fork and exec.
 *
 * A signal sent to a child between fork and exec is lost when it meets the
 * spawner's handlers, or a group that is not there yet.  So: all signals are
 * blocked over the fork; the group is made on both sides; the child puts every
 * disposition back before it unblocks.  What comes earlier waits, and then
 * meets the child as CMD would have met it.
 *
 * The child is the subreaper of its own tree.  So nothing of a living proc can
 * fall to the supervisor: a stray there belongs to a proc that has ended.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "boot/spawn.h"

#define SIGNALS_MAX 65

struct child {
	const struct spawn *spawn;
	pid_t parent;
	int report; /* CLOEXEC: its end is the exec */
};

struct failure {
	int code;
	int dir; /* it was the directory */
};

void
inheritance_get(struct inheritance *inherit)
{
	struct sigaction action;
	int sig;

	memset(inherit, 0, sizeof *inherit);
	(void)sigprocmask(SIG_BLOCK, NULL, &inherit->mask);
	(void)sigemptyset(&inherit->ignored);
	for (sig = 1; sig < SIGNALS_MAX; sig++) {
		if (sigaction(sig, NULL, &action) == 0 &&
		    action.sa_handler == SIG_IGN)
			(void)sigaddset(&inherit->ignored, sig);
	}
}

void
inheritance_restore(const struct inheritance *inherit)
{
	struct sigaction action;
	int sig;

	memset(&action, 0, sizeof action);
	for (sig = 1; sig < SIGNALS_MAX; sig++) {
		action.sa_handler = sigismember(&inherit->ignored, sig) == 1
					? SIG_IGN
					: SIG_DFL;
		/* Refused for SIGKILL, SIGSTOP and libc's own. */
		(void)sigaction(sig, &action, NULL);
	}
	(void)sigprocmask(SIG_SETMASK, &inherit->mask, NULL);
}

int
spawn_pipe(int *ours, int *theirs, bool to_child)
{
	int fds[2], flags, code;

	if (sys_pipe(fds) == -1)
		return -1;
	*ours = fds[to_child ? 1 : 0];
	*theirs = fds[to_child ? 0 : 1];
	flags = fcntl(*theirs, F_GETFL);
	if (flags != -1 && fcntl(*theirs, F_SETFL, flags & ~O_NONBLOCK) != -1)
		return 0;
	code = errno;
	(void)close(fds[0]);
	(void)close(fds[1]);
	*ours = *theirs = -1;
	errno = code;
	return -1;
}

void
spawn_close(int fd)
{
	int code = errno;

	if (fd != -1)
		(void)close(fd);
	errno = code;
}

/* dup2, which leaves CLOEXEC on when both are the same. */
static int
place(int fd, int at)
{
	int flags;

	if (fd != at)
		return dup2(fd, at);
	flags = fcntl(fd, F_GETFD);
	return flags == -1 ? -1 : fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
}

/* Its descriptors, and nothing else but the report. */
static int
place_all(const struct spawn *spawn, int report)
{
	int first = 3;

	if (place(spawn->in, 0) == -1 || place(spawn->out, 1) == -1 ||
	    place(spawn->err, 2) == -1)
		return -1;
	if (spawn->extra != NULL) {
		if (place(spawn->extra[0], 3) == -1 ||
		    place(spawn->extra[1], 4) == -1)
			return -1;
		first = 5;
	}
	sys_close_from(first, report);
	return 0;
}

/* In the child, whose memory may be its parent's: only what a signal handler
 * may do. */
static int
run_child(void *arg)
{
	const struct child *child = arg;
	const struct spawn *spawn = child->spawn;
	struct failure failure = {0, 0};

	(void)setpgid(0, 0);
	if (!spawn->orphans)
		(void)sys_subreaper();
	(void)sys_parent_death(SIGKILL);
	if (getppid() != child->parent)
		_exit(1);
	if (place_all(spawn, child->report) == 0) {
		sys_files_restore(spawn->inherit->files);
		if (spawn->dir != NULL && chdir(spawn->dir) == -1) {
			failure.dir = 1;
		} else {
			inheritance_restore(spawn->inherit);
			sys_exec(spawn->argv[0], spawn->argv, spawn->env);
		}
	}
	failure.code = errno;
	(void)!write(child->report, &failure, sizeof failure);
	_exit(127);
}

/* What the child reports: nothing, when its exec has succeeded. */
static int
read_report(int fd, struct failure *failure)
{
	ssize_t n;

	do
		n = read(fd, failure, sizeof *failure);
	while (n == -1 && errno == EINTR);
	return n == (ssize_t)sizeof *failure ? -1 : 0;
}

static pid_t
reap_failed(pid_t pid, int code)
{
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		continue;
	errno = code;
	return -1;
}

pid_t
spawn_child(const struct spawn *spawn, const char **what)
{
	struct child child = {spawn, getpid(), -1};
	struct failure failure;
	sigset_t all, old;
	int report[2], code;
	size_t nargs = 0;
	pid_t pid;

	*what = "fork";
	/* Blocking ends: where fork copies, the exec is waited for. */
	if (pipe(report) == -1)
		return -1;
	if (sys_cloexec(report[0]) == -1 || sys_cloexec(report[1]) == -1) {
		(void)close(report[0]);
		(void)close(report[1]);
		return -1;
	}
	/* Above what a child may be given as 3 and 4. */
	child.report = fcntl(report[1], F_DUPFD_CLOEXEC, 5);
	(void)close(report[1]);
	if (child.report == -1) {
		code = errno;
		(void)close(report[0]);
		errno = code;
		return -1;
	}
	while (spawn->argv[nargs] != NULL)
		nargs++;
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	pid = sys_spawn(run_child, &child, nargs);
	code = errno;
	if (pid > 0)
		(void)setpgid(pid, pid); /* EACCES once it has executed */
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	(void)close(child.report);
	if (pid > 0 && read_report(report[0], &failure) == -1) {
		*what = failure.dir ? spawn->dir : spawn->argv[0];
		pid = reap_failed(pid, failure.code);
		code = errno;
	}
	(void)close(report[0]);
	errno = code;
	return pid;
}

void
signal_group(pid_t pid, int sig)
{
	if (pid <= 1)
		return;
	/* It is in its group before the first of these can be sent; but one
	 * that has moved to another group is to hear it too. */
	if (kill(-pid, sig) == -1 && errno == ESRCH)
		(void)kill(pid, sig);
}
