/*
 * What the bench programs have in common.  Each prints figures only, one a
 * line, on stdout; whatever goes wrong ends the program with a sentence and 1:
 * a figure that is not right is none.
 */
#ifndef BENCH_H
#define BENCH_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

/* The names that both sides' programs use behind a host or relay. */
#define BENCH_ECHO "bench-echo"
#define BENCH_SINK "bench-sink"
#define BENCH_SIZE 64 /* bytes of a small message */

_Noreturn void bench_die(const char *what);

/* Nanoseconds of the monotonic clock. */
uint64_t bench_now(void);
/* A number from the command line. */
size_t bench_number(const char *text);
/* Never NULL. */
void *bench_alloc(size_t size);

/* A Unix stream socket, not blocking. */
int bench_connect(const char *path);
int bench_listen(const char *path);
void bench_nonblocking(int fd);
/* Thousands of links need descriptors. */
void bench_raise_limit(void);
/* Waits until fd has one of events. */
void bench_poll(int fd, short events);
/* All of it, whatever that takes. */
void bench_write(int fd, const char *p, size_t len);
void bench_read(int fd, char *p, size_t len);
/* Waits for something, at most len; how much came. */
size_t bench_read_some(int fd, char *p, size_t len);

/* Takes times in nanoseconds, any number of them. */
struct bench_times {
	uint64_t *ns;
	size_t n, max;
};
void bench_times_init(struct bench_times *times, size_t max);
void bench_times_add(struct bench_times *times, uint64_t ns);
/* Prints the given percentile in microseconds, and forgets all. */
void bench_times_print(struct bench_times *times, unsigned percent);
/* Prints so many a second. */
void bench_print_rate(size_t count, uint64_t ns);

/*
 * A process beside this one.  It runs fn, which writes a byte to fd when it is
 * ready and further ones as it likes; it is killed by bench_end.
 */
struct bench_helper {
	pid_t pid;
	int fd; /* what it says can be read here */
};
typedef void bench_fn(const char *addr, size_t n, int fd);
void bench_begin(
    struct bench_helper *helper, bench_fn *fn, const char *addr, size_t n);
void bench_end(struct bench_helper *helper);
/* The helper's side of fd, and who waits for it. */
void bench_say(int fd);
void bench_hear(int fd);

/* What a bench program can do: so many operands, or -count and more. */
struct bench_mode {
	const char *name, *operands;
	int count;
	void (*fn)(char **operands);
};
/* How one side does what each side is asked for: questions (so many, of whose
 * times a percentile is printed), and the helpers beside them. */
struct bench_side {
	void (*ask)(const char *addr, size_t calls, unsigned percent);
	bench_fn *echo, *sink, *flood;
	bench_fn *hold; /* n idle links, NULL: cannot */
};
/* Runs the mode that the command line names: one of these, or with a side call,
 * beside and idle.  The exit status. */
int bench_main(const struct bench_side *side, const struct bench_mode *modes,
    int argc, char **argv);

#endif
