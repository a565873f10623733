/*
 * The warden.
 *
 * It is a subreaper: when the supervisor dies, all that was below it, setsid or
 * not, falls to the warden, which kills until nothing is left.  When the warden
 * dies, the supervisor gets SIGTERM and ends its procs in order.  It holds
 * nothing of its caller's, so that nobody waits for it by accident.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "boot/spawn.h"
#include "boot/tree.h"
#include "boot/warden.h"

/* stdio to /dev/null.  Of the supervisor's, what it needs stays. */
static void
let_go(int first)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC), i;

	for (i = first; fd != -1 && i <= STDERR_FILENO; i++)
		(void)dup2(fd, i);
	if (fd > STDERR_FILENO)
		(void)close(fd);
}

static void
default_signals(void)
{
	struct inheritance none;

	(void)sigemptyset(&none.mask);
	(void)sigemptyset(&none.ignored);
	inheritance_restore(&none);
}

/* The supervisor's will: paths, one a line, whole ones. */
static void
execute_will(int will)
{
	char text[4096], *line, *end;
	size_t len = 0;
	ssize_t n;

	while ((n = read(will, text + len, sizeof text - len)) > 0) {
		len += (size_t)n;
		line = text;
		while ((end = memchr(
			    line, '\n', len - (size_t)(line - text))) != NULL) {
			*end = '\0';
			sys_remove_dead(line);
			line = end + 1;
		}
		len -= (size_t)(line - text);
		memmove(text, line, len);
	}
}

/* All below this process dies: each death brings the next layer up. */
static void
kill_below(void)
{
	struct tree tree;
	uint64_t due;

	memset(&tree, 0, sizeof tree);
	tree.sight = TREE_SEES;
	do
		(void)tree_sweep(&tree, NULL, NULL, 0, true, &due);
	while (waitpid(-1, NULL, 0) != -1 || errno == EINTR);
	tree_fini(&tree);
}

static int
watch_over(pid_t supervisor, int will)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, 0)) != supervisor) {
		if (pid == -1 && errno != EINTR)
			return 1;
	}
	kill_below();
	/* What ended in order has removed its own. */
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		execute_will(will);
	return 0;
}

static void
be_supervisor(const struct job *job, pid_t warden, int front, int will)
{
	(void)sys_subreaper();
	(void)sys_parent_death(SIGTERM);
	if (getppid() == warden)
		supervise(job, front, will);
	_exit(0);
}

static void
be_warden(const struct job *job, int front)
{
	pid_t self = getpid(), pid;
	int will[2];

	(void)setsid();
	(void)sys_subreaper();
	sys_close_others(front);
	if (sys_pipe(will) == -1)
		_exit(1);
	pid = fork();
	if (pid == 0) {
		(void)close(will[0]);
		if (!job->stay)
			let_go(STDIN_FILENO);
		be_supervisor(job, self, front, will[1]);
	}
	(void)close(front);
	(void)close(will[1]);
	let_go(STDIN_FILENO);
	default_signals();
	(void)!chdir("/");
	_exit(pid == -1 ? 1 : watch_over(pid, will[0]));
}

long
warden_start(const struct job *job, int *front)
{
	int ends[2], i, code;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == -1)
		return -1;
	pid = -1;
	for (i = 0; i < 2; i++) {
		if (sys_cloexec(ends[i]) == -1 || sys_nonblock(ends[i]) == -1)
			goto out;
	}
	pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		be_warden(job, ends[1]);
	}
out:
	code = errno;
	(void)close(ends[1]);
	if (pid == -1)
		(void)close(ends[0]);
	else
		*front = ends[0];
	errno = code;
	return pid;
}
