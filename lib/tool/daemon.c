/*
 * See daemon.h.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tool/daemon.h"

static int
write_all(int fd, const char *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n == -1 && errno != EINTR)
			return -1;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static _Noreturn void
be_parent(int report, pid_t child, const char *otherwise)
{
	char buf[4096];
	size_t total = 0;
	ssize_t n;
	int status;

	while ((n = read(report, buf, sizeof buf)) != 0) {
		if (n == -1 && errno != EINTR)
			break;
		if (n > 0) {
			write_all(STDOUT_FILENO, buf, (size_t)n);
			total += (size_t)n;
		}
	}
	if (total > 0)
		_exit(0);
	write_all(STDOUT_FILENO, otherwise, strlen(otherwise));
	while (waitpid(child, &status, 0) == -1) {
		if (errno != EINTR)
			_exit(1);
	}
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

int
daemon_start(struct daemon *daemon, const char *otherwise)
{
	int fds[2], code;
	pid_t child;

	if (pipe(fds) == -1)
		return -1;
	child = fork();
	if (child == -1) {
		code = errno;
		(void)close(fds[0]);
		(void)close(fds[1]);
		errno = code;
		return -1;
	}
	if (child != 0) {
		(void)close(fds[1]);
		be_parent(fds[0], child, otherwise);
	}
	(void)close(fds[0]);
	(void)fcntl(fds[1], F_SETFD, FD_CLOEXEC);
	(void)setsid();
	daemon->report = fds[1];
	return 0;
}

int
daemon_ready(
    struct daemon *daemon, const char *text, size_t len, const char *log)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int code = errno, done = -1;

	if (null != -1 && out != -1 && dup2(null, STDIN_FILENO) != -1 &&
	    dup2(out, STDOUT_FILENO) != -1 && dup2(out, STDERR_FILENO) != -1) {
		write_all(daemon->report, text, len);
		(void)close(daemon->report);
		daemon->report = -1;
		done = 0;
	}
	if (null > STDERR_FILENO)
		(void)close(null);
	if (out > STDERR_FILENO)
		(void)close(out);
	errno = code;
	return done;
}
