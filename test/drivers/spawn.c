/*
 * One child: what it inherits and what not, its exec error, and signals sent
 * in its first moments, of which none may be lost.
 */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"
#include "boot/spawn.h"

#include "check.h"

#define ROUNDS 500

static struct inheritance inherit;

static pid_t
start(const char *script, const char *dir, int out, const char **what)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
	char *env[] = {(char *)"PATH=/usr/bin:/bin", (char *)"A=b", NULL};
	int null = open("/dev/null", O_RDWR);
	struct spawn spawn = {
	    argv, env, dir, null, out, null, &inherit, false, NULL};
	pid_t pid;

	CHECK(null != -1);
	if (script == NULL)
		argv[0] = (char *)dir;
	if (script == NULL)
		spawn.dir = NULL;
	pid = spawn_child(&spawn, what);
	CHECK(close(null) == 0);
	return pid;
}

static int
wait_status(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

/* What script prints. */
static const char *
output(const char *script, const char *dir)
{
	static char text[4096];
	const char *what;
	size_t len = 0;
	ssize_t n;
	int fds[2];
	pid_t pid;

	CHECK(pipe(fds) == 0);
	pid = start(script, dir, fds[1], &what);
	CHECK(pid > 1);
	CHECK(getpgid(pid) == pid);
	CHECK(close(fds[1]) == 0);
	while ((n = read(fds[0], text + len, sizeof text - 1 - len)) > 0)
		len += (size_t)n;
	CHECK(close(fds[0]) == 0);
	CHECK(wait_status(pid) == 0);
	text[len] = '\0';
	return text;
}

/* What this process ignores, libc's own and its caller's included. */
static void
ignored_now(char *mask, size_t size)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];

	CHECK(status != NULL);
	mask[0] = '\0';
	while (fgets(line, sizeof line, status) != NULL) {
		if (strncmp(line, "SigIgn:\t", 8) == 0)
			(void)snprintf(mask, size, "%.60s", line + 8);
	}
	(void)fclose(status);
	CHECK(strlen(mask) == 17 && strchr("2367abef", mask[13]) != NULL);
}

static void
test_inheritance(void)
{
	struct rlimit limit, before;
	int fd = open("/dev/null", O_RDWR); /* not CLOEXEC: closed anyway */
	char expected[64];

	CHECK(fd > 2);
	CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
	limit = before;
	limit.rlim_cur = 300;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	(void)signal(SIGUSR1, SIG_IGN);
	ignored_now(expected, sizeof expected);
	inheritance_get(&inherit);
	inherit.files = 222;
	(void)signal(SIGPIPE, SIG_IGN);
	CHECK(
	    strcmp(output("echo $A; pwd; ulimit -n", "/"), "b\n/\n222\n") == 0);
	CHECK(strcmp(output("for f in 3 4 5 6 7 8 9; do "
			    "[ ! -e /dev/fd/$f ] || echo $f; done",
			 "/"),
		  "") == 0);
	/* SIGUSR1 ignored, as by the caller; SIGPIPE not. */
	CHECK(strcmp(output("sed -n 's/^SigIgn:[^0-9]*//p' /proc/self/status",
			 NULL),
		  expected) == 0);
	CHECK(strcmp(output("sed -n 's/^SigBlk:[^0-9]*//p' /proc/self/status",
			 NULL),
		  "0000000000000000\n") == 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
	inherit.files = 0;
	CHECK(close(fd) == 0);
}

static void
test_errors(void)
{
	const char *what;

	CHECK(start(NULL, "/nonexistent", 1, &what) == -1);
	CHECK(errno == ENOENT && strcmp(what, "/nonexistent") == 0);
	CHECK(start(NULL, "no-such-command", 1, &what) == -1);
	CHECK(errno == ENOENT);
	CHECK(start(NULL, "/etc/passwd", 1, &what) == -1 && errno == EACCES);
	CHECK(start(NULL, "/", 1, &what) == -1 && errno == EACCES);
	CHECK(start("exit 0", "/nonexistent", 1, &what) == -1);
	CHECK(errno == ENOENT && strcmp(what, "/nonexistent") == 0);
	CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
}

/* A file without "#!" is a script, for which libc (not every one) has the
 * arguments on the stack once more, however many there are. */
static void
test_many_arguments(void)
{
	enum { ARGS = 100000 };
	static char *argv[ARGS + 2];
	char *env[] = {(char *)"PATH=/usr/bin:/bin", NULL};
	char path[] = "/tmp/hostmux-test-XXXXXX";
	const char script[] = "exit $(($# / 1000))\n", *what;
	int i, fd = mkstemp(path), null = open("/dev/null", O_RDWR);
	struct spawn spawn = {
	    argv, env, NULL, null, null, null, &inherit, false, NULL};
	pid_t pid;

	CHECK(fd != -1 && fchmod(fd, 0700) == 0 && null != -1);
	CHECK(write(fd, script, strlen(script)) == (ssize_t)strlen(script));
	CHECK(close(fd) == 0);
	argv[0] = path;
	for (i = 1; i <= ARGS; i++)
		argv[i] = (char *)"a";
	pid = spawn_child(&spawn, &what);
	CHECK(pid > 1 || errno == ENOEXEC);
	if (pid > 1)
		CHECK(WEXITSTATUS(wait_status(pid)) == ARGS / 1000);
	CHECK(unlink(path) == 0 && close(null) == 0);
}

/* SIGTERM right after the spawn, to the group: it always ends the child. */
static void
test_no_signal_is_lost(void)
{
	struct timespec t = {0, 0};
	const char *what;
	pid_t pid;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		pid = start("exec sleep 60", NULL, 1, &what);
		CHECK(pid > 1);
		t.tv_nsec = (long)check_random(3000) * 1000;
		if (i % 4 != 0)
			(void)nanosleep(&t, NULL);
		CHECK(kill(-pid, SIGTERM) == 0);
		CHECK(wait_status(pid) == SIGTERM);
	}
}

int
main(void)
{
	test_inheritance();
	test_errors();
	test_many_arguments();
	test_no_signal_is_lost();
	return 0;
}
