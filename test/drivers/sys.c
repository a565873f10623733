/*
 * What differs between systems, without sockets: descriptors, clocks and
 * processes.  Where a system has no answer, ENOTSUP is the right one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"

#include "check.h"

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) != -1;
}

static int
status_of(pid_t pid)
{
	int status;

	CHECK(pid > 0);
	while (waitpid(pid, &status, 0) == -1)
		CHECK(errno == EINTR);
	return status;
}

static void
clocks(void)
{
	struct timespec ms20 = {0, 20000000};
	uint64_t before = sys_now(), after;
	double wall = sys_wall();

	while (nanosleep(&ms20, &ms20) == -1)
		CHECK(errno == EINTR);
	after = sys_now();
	CHECK(after - before >= 19 && after - before < 10000);
	CHECK(wall > (double)time(NULL) - 10 && wall < (double)time(NULL) + 10);
}

static void
randomness(void)
{
	unsigned char a[256], b[256];

	CHECK(sys_random(a, sizeof a) == 0 && sys_random(b, sizeof b) == 0);
	CHECK(memcmp(a, b, sizeof a) != 0);
	CHECK(memcmp(a, a + 128, 128) != 0);
}

static void
descriptors(void)
{
	int fds[2], i;
	char byte;

	CHECK(sys_pipe(fds) == 0);
	for (i = 0; i < 2; i++) {
		CHECK((fcntl(fds[i], F_GETFD) & FD_CLOEXEC) != 0);
		CHECK((fcntl(fds[i], F_GETFL) & O_NONBLOCK) != 0);
	}
	CHECK(read(fds[0], &byte, 1) == -1 && errno == EAGAIN);
	(void)close(fds[0]);
	(void)close(fds[1]);
	CHECK(sys_cloexec(fds[0]) == -1 && errno == EBADF);
	CHECK(sys_nonblock(fds[0]) == -1 && errno == EBADF);
	CHECK(pipe(fds) == 0);
	CHECK(sys_cloexec(fds[0]) == 0 && sys_nonblock(fds[0]) == 0);
	CHECK((fcntl(fds[0], F_GETFD) & FD_CLOEXEC) != 0);
	CHECK((fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
	CHECK((fcntl(fds[1], F_GETFL) & O_NONBLOCK) == 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* Of 10 to 14 those from first on but keep are closed, and nothing below. */
static void
close_in_child(int first, int keep)
{
	pid_t pid = fork();
	int fd;

	CHECK(pid != -1);
	if (pid != 0) {
		CHECK(status_of(pid) == 0);
		return;
	}
	for (fd = 10; fd < 15; fd++)
		CHECK(dup2(STDIN_FILENO, fd) == fd);
	if (first == 3)
		sys_close_others(keep);
	else
		sys_close_from(first, keep);
	for (fd = 0; fd < 3; fd++)
		CHECK(is_open(fd));
	for (fd = 10; fd < 15; fd++)
		CHECK(is_open(fd) == (fd < first || fd == keep));
	_exit(0);
}

static void
closing(void)
{
	close_in_child(3, -1);
	close_in_child(3, 12);
	close_in_child(12, -1);
	close_in_child(12, 12);
	close_in_child(12, 10);
	close_in_child(12, 14);
}

static void
limits(void)
{
	struct rlimit at_first, now;
	uint64_t old;

	CHECK(getrlimit(RLIMIT_NOFILE, &at_first) == 0);
	sys_files_raise(&old);
	CHECK(old == at_first.rlim_cur);
	CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0);
	CHECK(now.rlim_cur >= at_first.rlim_cur);
#ifdef __linux__
	CHECK(now.rlim_cur == now.rlim_max);
#endif
	sys_files_restore(old);
	CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0);
	CHECK(now.rlim_cur == at_first.rlim_cur);
}

/* --- processes */

static pid_t
sleeper(void)
{
	pid_t pid = fork();

	CHECK(pid != -1);
	if (pid != 0)
		return pid;
	for (;;)
		(void)pause();
}

static bool
is_one_of(pid_t pid, const pid_t *pids, long n)
{
	while (n-- > 0) {
		if (pids[n] == pid)
			return true;
	}
	return false;
}

#ifdef __linux__
/* That there is no descriptor to look with is not "none". */
static void
children_unseen(void)
{
	struct rlimit limit;
	rlim_t old;
	pid_t pids[8];

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	old = limit.rlim_cur;
	limit.rlim_cur = 3;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(sys_children(getpid(), pids, 8) == -1 && errno == EMFILE);
	limit.rlim_cur = 4; /* the folder opens, the files in it do not */
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(is_open(3) || sys_children(getpid(), pids, 8) == -1);
	CHECK(errno == EMFILE);
	limit.rlim_cur = old;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}
#endif

static void
children(void)
{
	pid_t made[3], pids[8];
	long n;
	int i;

	for (i = 0; i < 3; i++)
		made[i] = sleeper();
	n = sys_children(getpid(), pids, 8);
#ifdef __linux__
	CHECK(n == 3);
	for (i = 0; i < 3; i++)
		CHECK(is_one_of(made[i], pids, n));
	CHECK(sys_children(getpid(), pids, 1) == 3);
	CHECK(sys_children(getpid(), NULL, 0) == 3);
	CHECK(sys_children(made[0], pids, 8) == 0);
	children_unseen();
#else
	CHECK(n == -1 && errno == ENOTSUP && !is_one_of(0, pids, 0));
#endif
	for (i = 0; i < 3; i++) {
		CHECK(kill(made[i], SIGKILL) == 0);
		CHECK(WIFSIGNALED(status_of(made[i])));
	}
#ifdef __linux__
	CHECK(sys_children(made[0], pids, 8) == 0); /* gone */
#endif
}

/* The grandchild holds the pipe until it dies with its parent. */
static void
parent_death(void)
{
	int fds[2], made[2];
	char byte;
	pid_t pid;

	CHECK(pipe(fds) == 0 && pipe(made) == 0);
	pid = fork();
	CHECK(pid != -1);
	if (pid == 0) {
		if (fork() == 0) {
			(void)close(made[0]);
			byte = sys_parent_death(SIGKILL) == 0 ? 'y' : 'n';
			CHECK(write(made[1], &byte, 1) == 1);
			while (byte == 'y')
				(void)pause();
			_exit(0);
		}
		CHECK(read(made[0], &byte, 1) == 1);
		_exit(byte == 'y' ? 0 : 1);
	}
	(void)close(fds[1]);
	(void)close(made[0]);
	(void)close(made[1]);
	CHECK(WIFEXITED(status_of(pid)));
	CHECK(read(fds[0], &byte, 1) == 0);
	(void)close(fds[0]);
}

static int
run(void *arg)
{
	static char *const env[] = {(char *)"X=1", NULL};
	char *const *argv = arg;

	sys_exec(argv[0], argv, env);
	_exit(errno == ENOENT ? 127 : 126);
}

static int
reaped(pid_t pid, double *cpu, uint64_t *peak)
{
	pid_t got;
	int status;

	CHECK(pid > 0);
	while ((got = sys_reap(pid, &status, cpu, peak)) == 0)
		(void)poll(NULL, 0, 1);
	CHECK(got == pid);
	return status;
}

static void
spawning(void)
{
	char *test[] = {(char *)"sh", (char *)"-c",
	    (char *)"test \"$X\" = 1 && test -z \"$HOME\" && exit 7", NULL};
	char *none[] = {(char *)"no-such-program-1f", NULL};
	char *folder[] = {(char *)"/tmp", NULL};
	double cpu;
	uint64_t peak;
	int status;
	pid_t pid;

	status = reaped(sys_spawn(run, test, 0), &cpu, &peak);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
#ifdef __linux__
	CHECK(cpu >= 0 && cpu < 60 && peak > 4096);
#endif
	status = reaped(sys_spawn(run, none, 0), &cpu, &peak);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 127);
	status = reaped(sys_spawn(run, folder, 0), &cpu, &peak);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 126);
	pid = sleeper();
	CHECK(sys_reap(pid, &status, &cpu, &peak) == 0);
	CHECK(cpu < 0 && peak == 0);
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK(WTERMSIG(reaped(pid, &cpu, &peak)) == SIGKILL);
	CHECK(sys_reap(pid, &status, &cpu, &peak) == -1 && errno == ECHILD);
}

int
main(void)
{
	(void)alarm(120);
	CHECK(setenv("HOME", "/", 1) == 0);
	clocks();
	randomness();
	descriptors();
	closing();
	limits();
	children();
	parent_death();
	spawning();
	return 0;
}
