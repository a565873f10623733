/*
 * What the bench programs have in common: clocks, sockets, helpers, printing.
 */
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define NS 1000000000u

_Noreturn void
bench_die(const char *what)
{
	(void)fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

uint64_t
bench_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

size_t
bench_number(const char *text)
{
	return strtoul(text, NULL, 10);
}

void *
bench_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (p == NULL)
		bench_die("memory");
	return p;
}

void
bench_nonblocking(int fd)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK) == -1 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
		bench_die("fcntl");
}

static int
unix_socket(struct sockaddr_un *sun, const char *path)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd == -1)
		bench_die("socket");
	memset(sun, 0, sizeof *sun);
	sun->sun_family = AF_UNIX;
	(void)snprintf(sun->sun_path, sizeof sun->sun_path, "%s", path);
	return fd;
}

int
bench_connect(const char *path)
{
	struct sockaddr_un sun;
	int fd = unix_socket(&sun, path);

	if (connect(fd, (struct sockaddr *)&sun, sizeof sun) == -1)
		bench_die(path);
	bench_nonblocking(fd);
	return fd;
}

int
bench_listen(const char *path)
{
	struct sockaddr_un sun;
	int fd = unix_socket(&sun, path);

	if (bind(fd, (struct sockaddr *)&sun, sizeof sun) == -1 ||
	    listen(fd, SOMAXCONN) == -1)
		bench_die(path);
	bench_nonblocking(fd);
	return fd;
}

void
bench_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

void
bench_poll(int fd, short events)
{
	struct pollfd pfd = {fd, events, 0};

	while (poll(&pfd, 1, -1) == -1)
		if (errno != EINTR)
			bench_die("poll");
}

void
bench_write(int fd, const char *p, size_t len)
{
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n) {
		while ((n = write(fd, p, len)) == -1 && errno == EAGAIN)
			bench_poll(fd, POLLOUT);
		if (n == -1)
			bench_die("write");
	}
}

size_t
bench_read_some(int fd, char *p, size_t len)
{
	ssize_t n;

	bench_poll(fd, POLLIN);
	n = read(fd, p, len);
	if (n <= 0)
		bench_die("read");
	return (size_t)n;
}

void
bench_read(int fd, char *p, size_t len)
{
	size_t n;

	for (; len > 0; p += n, len -= n)
		n = bench_read_some(fd, p, len);
}

void
bench_times_init(struct bench_times *times, size_t max)
{
	times->ns = bench_alloc((max + 1) * sizeof *times->ns);
	times->n = 0;
	times->max = max;
}

void
bench_times_add(struct bench_times *times, uint64_t ns)
{
	if (times->n < times->max)
		times->ns[times->n++] = ns;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void
bench_times_print(struct bench_times *times, unsigned percent)
{
	qsort(times->ns, times->n, sizeof *times->ns, compare);
	(void)printf(
	    "%.1f\n", (double)times->ns[times->n * percent / 100] / 1e3);
	free(times->ns);
	memset(times, 0, sizeof *times);
}

void
bench_print_rate(size_t count, uint64_t ns)
{
	(void)printf("%.0f\n", (double)count * NS / (double)ns);
}

void
bench_begin(
    struct bench_helper *helper, bench_fn *fn, const char *addr, size_t n)
{
	int fds[2];

	if (pipe(fds) == -1)
		bench_die("pipe");
	(void)fflush(stdout);
	helper->pid = fork();
	if (helper->pid == -1)
		bench_die("fork");
	if (helper->pid == 0) {
		(void)close(fds[0]);
		fn(addr, n, fds[1]);
		_exit(0);
	}
	(void)close(fds[1]);
	helper->fd = fds[0];
	bench_hear(helper->fd);
}

void
bench_end(struct bench_helper *helper)
{
	(void)kill(helper->pid, SIGKILL);
	(void)waitpid(helper->pid, NULL, 0);
	(void)close(helper->fd);
}

void
bench_say(int fd)
{
	if (write(fd, ".", 1) != 1)
		_exit(1);
}

void
bench_hear(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		bench_die("a helper has ended");
}

static bool
fits(const struct bench_mode *mode, int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], mode->name) != 0)
		return false;
	return mode->count < 0 ? argc - 2 >= -mode->count
			       : argc - 2 == mode->count;
}

static const struct bench_side *side; /* of this program */

/* PATH CALLS [IDLE_LINKS] */
static void
call(char **operands)
{
	struct bench_helper helper, idle;
	size_t links = operands[2] == NULL ? 0 : bench_number(operands[2]);

	if (links > 0 && side->hold == NULL)
		bench_die("idle links");
	bench_begin(&helper, side->echo, operands[0], 0);
	if (links > 0)
		bench_begin(&idle, side->hold, operands[0], links);
	side->ask(operands[0], bench_number(operands[1]), 50);
	if (links > 0)
		bench_end(&idle);
	bench_end(&helper);
}

static void
beside(char **operands)
{
	struct bench_helper echoes, flooded, floods;

	bench_begin(&flooded, side->sink, operands[0], SIZE_MAX);
	bench_begin(&echoes, side->echo, operands[0], 0);
	bench_begin(&floods, side->flood, operands[0], 0);
	side->ask(operands[0], bench_number(operands[1]), 99);
	bench_end(&floods);
	bench_end(&echoes);
	bench_end(&flooded);
}

/* Until stdin ends. */
static void
idle(char **operands)
{
	struct bench_helper helper;
	char byte;

	if (side->hold == NULL)
		bench_die("idle links");
	bench_begin(
	    &helper, side->hold, operands[0], bench_number(operands[1]));
	(void)puts("open");
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	bench_end(&helper);
}

static const struct bench_mode common[] = {
    {"call", "PATH CALLS [IDLE_LINKS]", -2, call},
    {"beside", "PATH CALLS", 2, beside},
    {"idle", "PATH LINKS", 2, idle},
    {NULL, NULL, 0, NULL},
};

/* The mode of that name, run; false: it is not there. */
static bool
run(const struct bench_mode *mode, int argc, char **argv)
{
	for (; mode->name != NULL; mode++) {
		if (!fits(mode, argc, argv))
			continue;
		mode->fn(argv + 2);
		return true;
	}
	return false;
}

static void
usage(const struct bench_mode *mode, const char *program)
{
	for (; mode->name != NULL; mode++)
		(void)fprintf(stderr, "usage: %s %s %s\n", program, mode->name,
		    mode->operands);
}

int
bench_main(const struct bench_side *of, const struct bench_mode *modes,
    int argc, char **argv)
{
	(void)signal(SIGPIPE, SIG_IGN);
	bench_raise_limit();
	side = of;
	if (run(modes, argc, argv) || (of != NULL && run(common, argc, argv)))
		return 0;
	usage(modes, argv[0]);
	if (of != NULL)
		usage(common, argv[0]);
	return 2;
}
