/*
 * keeper: the floor of a supervisor.  One process starts others, hears a
 * newline of each on descriptor 3 when it is ready, and ends them.  It has no
 * names, no handles, no output to keep, and nobody looks after it.
 */
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define READY 3

extern char **environ;

struct keeper {
	size_t n;
	pid_t *pids; /* 0: reaped */
	int ready;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
};

static void
keeper_init(struct keeper *keeper, size_t n)
{
	int fds[2], moved;

	if (pipe(fds) == -1)
		bench_die("pipe");
	/* Above READY, so that dup2 lets it through exec. */
	moved = dup(fds[1]);
	if (moved == -1)
		bench_die("dup");
	bench_nonblocking(moved);
	(void)close(fds[1]);
	keeper->n = n;
	keeper->pids = bench_alloc(n * sizeof *keeper->pids);
	keeper->ready = fds[0];
	bench_nonblocking(keeper->ready);
	if (posix_spawn_file_actions_init(&keeper->actions) != 0 ||
	    posix_spawn_file_actions_adddup2(&keeper->actions, moved, READY) !=
		0 ||
	    posix_spawnattr_init(&keeper->attr) != 0 ||
	    posix_spawnattr_setflags(&keeper->attr, POSIX_SPAWN_SETPGROUP) != 0)
		bench_die("spawn");
}

static pid_t
start(struct keeper *keeper, char **argv)
{
	pid_t pid;

	errno = posix_spawn(
	    &pid, argv[0], &keeper->actions, &keeper->attr, argv, environ);
	if (errno != 0)
		bench_die(argv[0]);
	return pid;
}

static void
wait_ready(const struct keeper *keeper, size_t n)
{
	char buf[512];
	ssize_t got;

	while (n > 0) {
		bench_poll(keeper->ready, POLLIN);
		got = read(keeper->ready, buf, sizeof buf);
		if (got > 0)
			n -= (size_t)got;
	}
}

static void
start_all(struct keeper *keeper, char **argv)
{
	size_t i;

	for (i = 0; i < keeper->n; i++)
		keeper->pids[i] = start(keeper, argv);
	wait_ready(keeper, keeper->n);
}

static void
signal_all(const struct keeper *keeper, int sig)
{
	size_t i;

	for (i = 0; i < keeper->n; i++)
		if (keeper->pids[i] != 0)
			(void)kill(keeper->pids[i], sig);
}

static void
wait_all(const struct keeper *keeper)
{
	size_t n = keeper->n;

	while (n > 0)
		if (waitpid(-1, NULL, 0) > 0)
			n--;
}

static void
print_ms(uint64_t ns)
{
	(void)printf("%.2f\n", (double)ns / 1e6);
}

/* operands: N PROGRAM [ARG]; all ready, in ms. */
static void
ready(char **operands)
{
	struct keeper keeper;
	uint64_t begin;

	keeper_init(&keeper, bench_number(operands[0]));
	begin = bench_now();
	start_all(&keeper, operands + 1);
	print_ms(bench_now() - begin);
	signal_all(&keeper, SIGKILL);
	wait_all(&keeper);
}

static void
end(char **operands)
{
	struct keeper keeper;
	uint64_t begin;

	keeper_init(&keeper, bench_number(operands[0]));
	start_all(&keeper, operands + 1);
	begin = bench_now();
	signal_all(&keeper, SIGTERM);
	wait_all(&keeper);
	print_ms(bench_now() - begin);
}

/* One after the other, in us. */
static void
one(char **operands)
{
	size_t n = bench_number(operands[0]);
	struct bench_times times;
	struct keeper keeper;
	uint64_t begin;

	keeper_init(&keeper, 1);
	bench_times_init(&times, n);
	while (n-- > 0) {
		begin = bench_now();
		start_all(&keeper, operands + 1);
		bench_times_add(&times, bench_now() - begin);
		signal_all(&keeper, SIGKILL);
		wait_all(&keeper);
	}
	bench_times_print(&times, 50);
}

/* N MS PROGRAM: SIGTERM, MS of grace, SIGKILL; what it took beyond that. */
static void
kill_late(char **operands)
{
	uint64_t begin, grace = bench_number(operands[1]) * 1000000;
	struct timespec pause;
	struct keeper keeper;

	keeper_init(&keeper, bench_number(operands[0]));
	start_all(&keeper, operands + 2);
	begin = bench_now();
	signal_all(&keeper, SIGTERM);
	pause.tv_sec = (time_t)(grace / 1000000000);
	pause.tv_nsec = (long)(grace % 1000000000);
	(void)nanosleep(&pause, NULL);
	signal_all(&keeper, SIGKILL);
	wait_all(&keeper);
	print_ms(bench_now() - begin - grace);
}

/* Holds N until stdin ends. */
static void
hold(char **operands)
{
	struct keeper keeper;
	char byte;

	keeper_init(&keeper, bench_number(operands[0]));
	start_all(&keeper, operands + 1);
	(void)puts("ready");
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	signal_all(&keeper, SIGKILL);
	wait_all(&keeper);
}

/* N COMMAND [ARG]...: commands, one after the other, each until it ends, in us;
 * a "%" that begins an argument becomes the number of the run. */
static void
timed(char **operands)
{
	size_t i, n = bench_number(operands[0]);
	char **argv = operands + 1, name[32];
	struct bench_times times;
	struct keeper keeper;
	uint64_t begin;
	int status, hole = 0;
	pid_t pid;

	while (argv[hole] != NULL && argv[hole][0] != '%')
		hole++;
	keeper_init(&keeper, 1);
	bench_times_init(&times, n);
	for (i = 0; i < n; i++) {
		(void)snprintf(name, sizeof name, "bench-%zu", i);
		if (argv[hole] != NULL)
			argv[hole] = name;
		begin = bench_now();
		pid = start(&keeper, argv);
		if (waitpid(pid, &status, 0) == -1 || status != 0)
			bench_die(argv[0]);
		bench_times_add(&times, bench_now() - begin);
	}
	bench_times_print(&times, 50);
}

int
main(int argc, char **argv)
{
	static const struct bench_mode modes[] = {
	    {"ready", "N PROGRAM [ARG]...", -2, ready},
	    {"end", "N PROGRAM [ARG]...", -2, end},
	    {"one", "N PROGRAM [ARG]...", -2, one},
	    {"kill", "N MS PROGRAM [ARG]...", -3, kill_late},
	    {"hold", "N PROGRAM [ARG]...", -2, hold},
	    {"timed", "N PROGRAM [ARG]...", -2, timed},
	    {NULL, NULL, 0, NULL},
	};

	return bench_main(NULL, modes, argc, argv);
}
