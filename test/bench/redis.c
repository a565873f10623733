/*
 * redis: the loads of "bare" through a redis-server, where there is one.  A
 * name is a channel, a message is published to it; RESP3, in which one
 * connection may do both.  How long each answer is is known, so bytes are
 * counted, not parsed.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define ASKER "bench-asker"
#define BUFFER (256u << 10)
#define BATCH (64u << 10)
#define FANOUT 32
#define HEAD 160 /* of a message in either direction, and its end */
#define REPLY 4	 /* ":1\r\n", what PUBLISH answers */

static void
say(int fd, const char *text)
{
	bench_write(fd, text, strlen(text));
}

/* Reads until what has come ends in tail. */
static void
read_until(int fd, const char *tail)
{
	static char buf[BUFFER];
	size_t n = strlen(tail), len = 0;

	do
		len += bench_read_some(fd, buf + len, sizeof buf - len);
	while (len < n || memcmp(buf + len - n, tail, n) != 0);
}

static int
dial(const char *addr)
{
	int fd = bench_connect(addr);

	say(fd, "HELLO 3\r\nPING\r\n");
	read_until(fd, "+PONG\r\n");
	return fd;
}

static int
subscribe(const char *addr, const char *name)
{
	int fd = dial(addr);

	say(fd, "SUBSCRIBE ");
	say(fd, name);
	say(fd, "\r\nPING\r\n");
	read_until(fd, "+PONG\r\n");
	return fd;
}

/* One that only publishes, and wants no answers. */
static int
publisher(const char *addr)
{
	int fd = dial(addr);

	say(fd, "CLIENT REPLY OFF\r\n");
	return fd;
}

/* The command that sends size bytes to name; its length. */
static size_t
publish(char *buf, const char *name, size_t size)
{
	size_t n = (size_t)snprintf(buf, HEAD,
	    "*3\r\n$7\r\nPUBLISH\r\n$%zu\r\n%s\r\n$%zu\r\n", strlen(name), name,
	    size);

	memset(buf + n, 'x', size);
	memcpy(buf + n + size, "\r\n", 2);
	return n + size + 2;
}

/* The length of what then comes to the subscriber. */
static size_t
message(const char *name, size_t size)
{
	int n =
	    snprintf(NULL, 0, ">3\r\n$7\r\nmessage\r\n$%zu\r\n%s\r\n$%zu\r\n",
		strlen(name), name, size);

	return (size_t)n + size + 2;
}

static const char *
sink_name(size_t i)
{
	static char name[64];

	(void)snprintf(name, sizeof name, BENCH_SINK "-%02zu", i);
	return name;
}

/* --- helpers */

/* Says so when so many bytes have come to these connections. */
static void
count(struct pollfd *pfd, nfds_t links, size_t bytes, int fd)
{
	static char buf[BUFFER];
	nfds_t i;
	ssize_t n;

	bench_say(fd);
	while (bytes > 0) {
		if (poll(pfd, links, -1) == -1)
			bench_die("poll");
		for (i = 0; i < links; i++) {
			if (pfd[i].revents == 0)
				continue;
			n = read(pfd[i].fd, buf, sizeof buf);
			if (n == 0)
				exit(1);
			if (n > 0)
				bytes -= (size_t)n;
		}
	}
	bench_say(fd);
}

static void
sink(const char *addr, size_t bytes, int fd)
{
	struct pollfd pfd = {subscribe(addr, BENCH_SINK), POLLIN, 0};

	count(&pfd, 1, bytes, fd);
}

static void
sinks(const char *addr, size_t bytes, int fd)
{
	struct pollfd pfd[FANOUT];
	size_t i;

	for (i = 0; i < FANOUT; i++) {
		pfd[i].fd = subscribe(addr, sink_name(i));
		pfd[i].events = POLLIN;
	}
	count(pfd, FANOUT, bytes, fd);
}

static void
echo(const char *addr, size_t unused, int fd)
{
	int link = subscribe(addr, BENCH_ECHO);
	char buf[HEAD + BENCH_SIZE], answer[HEAD + BENCH_SIZE];
	size_t n = publish(answer, ASKER, BENCH_SIZE);
	size_t question = message(BENCH_ECHO, BENCH_SIZE);

	(void)unused;
	bench_say(fd);
	bench_read(link, buf, question);
	for (;;) {
		bench_write(link, answer, n);
		bench_read(link, buf, REPLY + question);
	}
}

static void
flood(const char *addr, size_t unused, int fd)
{
	static char buf[BATCH];
	int link = publisher(addr);
	size_t len = 0;

	(void)unused;
	while (len + HEAD + BENCH_SIZE <= sizeof buf)
		len += publish(buf + len, BENCH_SINK, BENCH_SIZE);
	bench_say(fd);
	for (;;)
		bench_write(link, buf, len);
}

/* --- figures */

static void
ask(const char *addr, size_t calls, unsigned percent)
{
	int link = subscribe(addr, ASKER);
	char buf[HEAD + BENCH_SIZE], answer[HEAD + BENCH_SIZE];
	size_t n = publish(buf, BENCH_ECHO, BENCH_SIZE);
	size_t whole = REPLY + message(ASKER, BENCH_SIZE);
	struct bench_times times;
	uint64_t begin;

	bench_times_init(&times, calls);
	while (calls-- > 0) {
		begin = bench_now();
		bench_write(link, buf, n);
		bench_read(link, answer, whole);
		bench_times_add(&times, bench_now() - begin);
	}
	bench_times_print(&times, percent);
}

static void
oneway(char **operands)
{
	size_t size = bench_number(operands[1]), n = bench_number(operands[2]);
	char *buf = bench_alloc(BATCH + HEAD + size);
	size_t left, whole, len = 0, batch = 0;
	struct bench_helper helper;
	uint64_t begin;
	int link;

	bench_begin(&helper, sink, operands[0], n * message(BENCH_SINK, size));
	link = publisher(operands[0]);
	for (; len < BATCH && batch < n; batch++)
		len += publish(buf + len, BENCH_SINK, size);
	whole = len / batch;
	begin = bench_now();
	for (left = n; left >= batch; left -= batch)
		bench_write(link, buf, len);
	bench_write(link, buf, left * whole);
	bench_hear(helper.fd);
	bench_print_rate(n, bench_now() - begin);
	bench_end(&helper);
	free(buf);
}

static void
fanin(char **operands)
{
	size_t senders = bench_number(operands[1]);
	size_t i, n = bench_number(operands[2]) / senders * senders, left;
	int *links = bench_alloc(senders * sizeof *links);
	char buf[HEAD + BENCH_SIZE];
	size_t len = publish(buf, BENCH_SINK, BENCH_SIZE);
	struct bench_helper helper;
	uint64_t begin;

	bench_begin(
	    &helper, sink, operands[0], n * message(BENCH_SINK, BENCH_SIZE));
	for (i = 0; i < senders; i++)
		links[i] = publisher(operands[0]);
	begin = bench_now();
	for (left = n; left > 0; left -= senders)
		for (i = 0; i < senders; i++)
			bench_write(links[i], buf, len);
	bench_hear(helper.fd);
	bench_print_rate(n, bench_now() - begin);
	bench_end(&helper);
	free(links);
}

static void
fanout(char **operands)
{
	size_t i, n = bench_number(operands[1]) / FANOUT * FANOUT, left,
		  len = 0;
	char buf[FANOUT * (HEAD + BENCH_SIZE)];
	struct bench_helper helper;
	uint64_t begin;
	int link;

	bench_begin(
	    &helper, sinks, operands[0], n * message(sink_name(0), BENCH_SIZE));
	link = publisher(operands[0]);
	for (i = 0; i < FANOUT; i++)
		len += publish(buf + len, sink_name(i), BENCH_SIZE);
	begin = bench_now();
	for (left = n; left > 0; left -= FANOUT)
		bench_write(link, buf, len);
	bench_hear(helper.fd);
	bench_print_rate(n, bench_now() - begin);
	bench_end(&helper);
}

/* A new connection each time, and its first answer. */
static void
connects(char **operands)
{
	size_t i, len, n = bench_number(operands[1]);
	char buf[2 * HEAD + BENCH_SIZE];
	struct bench_helper helper;
	struct bench_times times;
	uint64_t begin;
	int link;

	bench_begin(&helper, echo, operands[0], 0);
	bench_times_init(&times, n);
	len = (size_t)snprintf(buf, HEAD, "HELLO 3\r\nSUBSCRIBE " ASKER "\r\n");
	len += publish(buf + len, BENCH_ECHO, BENCH_SIZE);
	for (i = 0; i < n; i++) {
		begin = bench_now();
		link = bench_connect(operands[0]);
		bench_write(link, buf, len);
		read_until(link, "x\r\n");
		bench_times_add(&times, bench_now() - begin);
		(void)close(link);
	}
	bench_times_print(&times, 50);
	bench_end(&helper);
}

int
main(int argc, char **argv)
{
	static const struct bench_mode modes[] = {
	    {"oneway", "PATH SIZE COUNT", 3, oneway},
	    {"fanin", "PATH SENDERS COUNT", 3, fanin},
	    {"fanout", "PATH COUNT", 2, fanout},
	    {"connect", "PATH COUNT", 2, connects},
	    {NULL, NULL, 0, NULL},
	};

	static const struct bench_side side = {ask, echo, sink, flood, NULL};

	return bench_main(&side, modes, argc, argv);
}
