/*
 * terminal job|leader|held COMMAND...: COMMAND on a terminal.
 *
 * For the first two it is a wrapper around a CMD that prints "up", reads a line
 * and prints "got LINE".
 *
 *   job     COMMAND is a job of a shell's: ^Z stops the job, and the shell gets
 *           the terminal; in the background it stops when CMD reads; "fg" lets
 *           it go on
 *   leader  COMMAND leads the session, as in a container: ^Z stops nothing
 *   held    nobody reads what it prints until there is a file "go"
 */
#define _XOPEN_SOURCE 700

#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

#define PATIENCE_MS 30000
#define STOP "\x1a"

static int master;
static char screen[65536];
static size_t len;

/* Reads the terminal until text is on it. */
static void
expect(const char *text)
{
	struct pollfd pfd = {-1, POLLIN, 0};
	ssize_t n;

	pfd.fd = master;
	while (strstr(screen, text) == NULL) {
		if (poll(&pfd, 1, PATIENCE_MS) == -1) {
			CHECK(errno == EINTR);
			continue;
		}
		CHECK(pfd.revents != 0);
		n = read(master, screen + len, sizeof screen - len - 1);
		if (n <= 0)
			fprintf(stderr, "no '%s' in: %s\n", text, screen);
		CHECK(n > 0);
		len += (size_t)n;
	}
}

/* Until nobody has the terminal open any more. */
static void
drain(void)
{
	ssize_t n;

	do
		n = read(master, screen, sizeof screen);
	while (n > 0 || (n == -1 && errno == EINTR));
}

static void
type(const char *text)
{
	CHECK(write(master, text, strlen(text)) == (ssize_t)strlen(text));
}

static int
ended(pid_t pid, int options)
{
	int status;

	while (waitpid(pid, &status, options) == -1)
		CHECK(errno == EINTR);
	return status;
}

static void
run(char **command)
{
	(void)signal(SIGTTOU, SIG_DFL);
	(void)execvp(command[0], command);
	_exit(127);
}

/* A shell with one job; its controlling terminal is descriptor 0. */
static int
shell(char **command)
{
	int status;
	pid_t job;

	(void)signal(SIGTTOU, SIG_IGN);
	job = fork();
	CHECK(job != -1);
	if (job == 0) {
		(void)setpgid(0, 0);
		(void)tcsetpgrp(0, getpgrp());
		run(command);
	}
	(void)setpgid(job, job);

	status = ended(job, WUNTRACED); /* ^Z */
	CHECK(WIFSTOPPED(status));
	CHECK(tcgetpgrp(0) == job); /* and not CMD */
	CHECK(tcsetpgrp(0, getpgrp()) == 0);
	CHECK(kill(-job, SIGCONT) == 0); /* bg */
	status = ended(job, WUNTRACED);	 /* SIGTTIN of CMD */
	CHECK(WIFSTOPPED(status));
	CHECK(tcgetpgrp(0) == getpgrp());
	CHECK(write(1, "stopped\n", 8) == 8);
	CHECK(tcsetpgrp(0, job) == 0); /* fg */
	CHECK(kill(-job, SIGCONT) == 0);

	status = ended(job, WUNTRACED);
	CHECK(WIFEXITED(status));
	CHECK(tcgetpgrp(0) == job); /* given back */
	return WEXITSTATUS(status);
}

static void
session(const char *slave, char **command, int job)
{
	int fd, i;

	CHECK(setsid() != -1);
	fd = open(slave, O_RDWR); /* becomes the controlling terminal */
	CHECK(fd != -1);
	CHECK(dup2(fd, 0) == 0 && dup2(fd, 1) == 1);
	if (!job)
		CHECK(dup2(fd, 2) == 2);
	for (i = 3; i < 64; i++)
		(void)close(i);
	if (job)
		_exit(shell(command));
	run(command);
}

int
main(int argc, char **argv)
{
	int job, held, status;
	pid_t leader;

	CHECK(argc > 2);
	job = strcmp(argv[1], "job") == 0;
	held = strcmp(argv[1], "held") == 0;
	master = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK(master != -1 && grantpt(master) == 0 && unlockpt(master) == 0);
	leader = fork();
	CHECK(leader != -1);
	if (leader == 0)
		session(ptsname(master), argv + 2, job);
	if (!held) {
		expect("up");
		type(STOP);
		if (job)
			expect("stopped");
		type("word\n");
		expect("got word");
	}
	while (held && access("go", F_OK) == -1)
		(void)poll(NULL, 0, 10);
	if (held)
		drain();
	status = ended(leader, 0);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}
