/*
 * bare: the loads of the floor, over bare sockets and through the relay.  What
 * "load" does with the library it does with poll, read and write.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"
#include "frame.h"

#define BUFFER (256u << 10)
#define BATCH (64u << 10)

/* A link to the relay, and what came over it and is not used up. */
struct reader {
	int fd;
	size_t len, skip;
	char buf[BUFFER];
};

/* One frame, whole, into buf; its length. */
static size_t
read_frame(int fd, char *buf)
{
	struct frame frame;
	size_t n = bench_read_some(fd, buf, BUFFER);

	memcpy(&frame, buf, sizeof frame);
	bench_read(fd, buf + n, frame.len - n);
	return frame.len;
}

/* A small message. */
static size_t
small(char *buf, const char *to, const char *from)
{
	size_t n = frame_head(buf, FRAME_DATA, to, from, BENCH_SIZE);

	memset(buf + n, 'x', BENCH_SIZE);
	return n + BENCH_SIZE;
}

/* Is known once a frame to itself has come back. */
static int
attach(const char *addr, const char *name)
{
	char buf[FRAME_ROOM + BENCH_SIZE];
	int fd = bench_connect(addr);
	size_t n = frame_head(buf, FRAME_NAME, "", name, 0);

	bench_write(fd, buf, n);
	n = small(buf, name, name);
	bench_write(fd, buf, n);
	bench_read(fd, buf, n);
	return fd;
}

/* --- helpers */

static void
echo(const char *addr, size_t unused, int fd)
{
	static char buf[BUFFER];
	char answer[FRAME_ROOM + BENCH_SIZE], to[256];
	int link = attach(addr, BENCH_ECHO);
	struct frame frame;
	size_t n;

	(void)unused;
	bench_say(fd);
	for (;;) {
		(void)read_frame(link, buf);
		memcpy(&frame, buf, sizeof frame);
		memcpy(to, buf + sizeof frame + frame.to, frame.from);
		to[frame.from] = '\0';
		n = small(answer, to, BENCH_ECHO);
		bench_write(link, answer, n);
	}
}

/* Counts the frames that end in what there is to read now. */
static size_t
count(struct reader *reader)
{
	char *p = reader->buf;
	struct frame frame;
	size_t n, frames = 0;
	ssize_t got = read(reader->fd, p + reader->len, BUFFER - reader->len);

	if (got == 0)
		exit(1); /* the relay has ended */
	if (got == -1)
		return 0;
	reader->len += (size_t)got;
	for (;;) {
		n = reader->skip < reader->len ? reader->skip : reader->len;
		reader->skip -= n;
		reader->len -= n;
		p += n;
		if (n > 0 && reader->skip == 0)
			frames++;
		if (reader->skip > 0 || reader->len < sizeof frame)
			break;
		memcpy(&frame, p, sizeof frame);
		reader->skip = frame.len;
	}
	memmove(reader->buf, p, reader->len);
	return frames;
}

/* Says so each time that n have come to these links. */
static void
count_all(struct reader **readers, size_t links, size_t n, int fd)
{
	struct pollfd *pfd = bench_alloc(links * sizeof *pfd);
	size_t i, got = 0;

	for (i = 0; i < links; i++) {
		pfd[i].fd = readers[i]->fd;
		pfd[i].events = POLLIN;
	}
	for (;;) {
		if (poll(pfd, links, -1) == -1)
			bench_die("poll");
		for (i = 0; i < links; i++)
			if (pfd[i].revents & POLLIN)
				got += count(readers[i]);
			else if (pfd[i].revents != 0)
				return;
		if (got < n)
			continue;
		bench_say(fd);
		got -= n;
	}
}

static struct reader *
reader_new(int fd)
{
	struct reader *reader = bench_alloc(sizeof *reader);

	reader->fd = fd;
	return reader;
}

static void
sink(const char *addr, size_t n, int fd)
{
	struct reader *reader = reader_new(attach(addr, BENCH_SINK));

	bench_say(fd);
	count_all(&reader, 1, n, fd);
}

static char *
sink_name(size_t i)
{
	static char name[64];

	(void)snprintf(name, sizeof name, BENCH_SINK "-%zu", i);
	return name;
}

static void
sinks(const char *addr, size_t links, size_t n, int fd)
{
	struct reader **readers = bench_alloc(links * sizeof(struct reader *));
	size_t i;

	for (i = 0; i < links; i++)
		readers[i] = reader_new(attach(addr, sink_name(i)));
	bench_say(fd);
	count_all(readers, links, n, fd);
}

static void
sinks_32(const char *addr, size_t n, int fd)
{
	sinks(addr, 32, n, fd);
}

/* They have a name, and have never been sent anything. */
static void
hold(const char *addr, size_t links, int fd)
{
	char name[64], buf[FRAME_ROOM];
	size_t i;

	for (i = 0; i < links; i++) {
		(void)snprintf(name, sizeof name, "bench-idle-%zu", i);
		bench_write(bench_connect(addr), buf,
		    frame_head(buf, FRAME_NAME, "", name, 0));
	}
	(void)attach(addr, "bench-idle");
	bench_say(fd);
	for (;;)
		(void)pause();
}

/* As many small frames as there is room for, for ever. */
static void
flood(const char *addr, size_t unused, int fd)
{
	static char buf[BATCH];
	int link = attach(addr, "bench-flood");
	size_t len = 0;

	(void)unused;
	while (len + FRAME_ROOM + BENCH_SIZE <= sizeof buf)
		len += small(buf + len, BENCH_SINK, "bench-flood");
	bench_say(fd);
	for (;;)
		bench_write(link, buf, len);
}

/* --- figures */

static void
ask(const char *addr, size_t calls, unsigned percent)
{
	int link = attach(addr, "bench-asker");
	char buf[FRAME_ROOM + BENCH_SIZE], *answer = bench_alloc(BUFFER);
	size_t n = small(buf, BENCH_ECHO, "bench-asker");
	struct bench_times times;
	uint64_t begin;

	bench_times_init(&times, calls);
	while (calls-- > 0) {
		begin = bench_now();
		bench_write(link, buf, n);
		(void)read_frame(link, answer);
		bench_times_add(&times, bench_now() - begin);
	}
	bench_times_print(&times, percent);
	free(answer);
}

/* The same over a pair of sockets with nothing in between. */
static int pair[2];

static void
echo_raw(const char *unused, size_t size, int fd)
{
	char buf[BENCH_SIZE];

	(void)unused;
	bench_say(fd);
	for (;;) {
		bench_read(pair[1], buf, size);
		bench_write(pair[1], buf, size);
	}
}

static void
raw(char **operands)
{
	size_t calls = bench_number(operands[0]);
	struct bench_helper helper;
	struct bench_times times;
	char buf[BENCH_SIZE];
	uint64_t begin;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		bench_die("socketpair");
	bench_nonblocking(pair[0]);
	bench_nonblocking(pair[1]);
	bench_begin(&helper, echo_raw, NULL, sizeof buf);
	memset(buf, 'x', sizeof buf);
	bench_times_init(&times, calls);
	while (calls-- > 0) {
		begin = bench_now();
		bench_write(pair[0], buf, sizeof buf);
		bench_read(pair[0], buf, sizeof buf);
		bench_times_add(&times, bench_now() - begin);
	}
	bench_times_print(&times, 50);
	bench_end(&helper);
}

/* n messages of that size; as many as fit go in one write. */
static void
send_all(int link, const char *to, size_t size, size_t n)
{
	size_t whole = FRAME_ROOM + size, len = 0, batch = 0;
	char *buf = bench_alloc(BATCH + whole);

	while (len < BATCH && batch < n) {
		len +=
		    frame_head(buf + len, FRAME_DATA, to, "bench-sender", size);
		memset(buf + len, 'x', size);
		len += size;
		batch++;
	}
	whole = len / batch;
	for (; n >= batch; n -= batch)
		bench_write(link, buf, len);
	bench_write(link, buf, n * whole);
	free(buf);
}

static void
oneway(char **operands)
{
	size_t size = bench_number(operands[1]), n = bench_number(operands[2]);
	struct bench_helper helper;
	uint64_t begin;
	int link;

	bench_begin(&helper, sink, operands[0], n);
	link = attach(operands[0], "bench-sender");
	begin = bench_now();
	send_all(link, BENCH_SINK, size, n);
	bench_hear(helper.fd);
	bench_print_rate(n, bench_now() - begin);
	bench_end(&helper);
}

/* One message from each of the links that takes it. */
static size_t
send_round(const int *links, size_t n, size_t max, const char *buf, size_t len)
{
	size_t i, sent = 0;
	ssize_t got;

	for (i = 0; i < n && sent < max; i++) {
		got = write(links[i], buf, len);
		if (got == (ssize_t)len)
			sent++;
		else if (got != -1 || errno != EAGAIN)
			bench_die("write");
	}
	return sent;
}

static void
fanin(char **operands)
{
	size_t senders = bench_number(operands[1]);
	size_t sent, left, n = bench_number(operands[2]);
	int *links = bench_alloc(senders * sizeof *links);
	char buf[FRAME_ROOM + BENCH_SIZE], name[64];
	struct bench_helper helper;
	uint64_t begin;
	size_t i;

	bench_begin(&helper, sink, operands[0], n);
	for (i = 0; i < senders; i++) {
		(void)snprintf(name, sizeof name, "bench-sender-%zu", i);
		links[i] = attach(operands[0], name);
	}
	i = small(buf, BENCH_SINK, "bench-sender-0");
	begin = bench_now();
	for (left = n; left > 0; left -= sent) {
		sent = send_round(links, senders, left, buf, i);
		if (sent == 0)
			bench_poll(links[0], POLLOUT);
	}
	bench_hear(helper.fd);
	bench_print_rate(n, bench_now() - begin);
	bench_end(&helper);
	free(links);
}

static void
fanout(char **operands)
{
	size_t n = bench_number(operands[1]) / 32 * 32;
	struct bench_helper helper;
	size_t i, len = 0, left, batch = BATCH / (FRAME_ROOM + BENCH_SIZE);
	char *buf = bench_alloc(BATCH);
	uint64_t begin;
	int link;

	batch -= batch % 32;
	bench_begin(&helper, sinks_32, operands[0], n / batch * batch);
	link = attach(operands[0], "bench-sender");
	for (i = 0; i < batch; i++)
		len += small(buf + len, sink_name(i % 32), "bench-sender");
	begin = bench_now();
	for (left = n; left >= batch; left -= batch)
		bench_write(link, buf, len);
	bench_hear(helper.fd);
	bench_print_rate(n / batch * batch, bench_now() - begin);
	bench_end(&helper);
	free(buf);
}

/* A new link each time, and its first answer. */
static void
connects(char **operands)
{
	size_t i, len, n = bench_number(operands[1]);
	char buf[2 * FRAME_ROOM + BENCH_SIZE], name[64];
	char *answer = bench_alloc(BUFFER);
	struct bench_helper helper;
	struct bench_times times;
	uint64_t begin;
	int link;

	bench_begin(&helper, echo, operands[0], 0);
	bench_times_init(&times, n);
	for (i = 0; i < n; i++) {
		(void)snprintf(name, sizeof name, "bench-new-%zu", i);
		begin = bench_now();
		link = bench_connect(operands[0]);
		len = frame_head(buf, FRAME_NAME, "", name, 0);
		len += small(buf + len, BENCH_ECHO, name);
		bench_write(link, buf, len);
		(void)read_frame(link, answer);
		bench_times_add(&times, bench_now() - begin);
		(void)close(link);
	}
	bench_times_print(&times, 50);
	bench_end(&helper);
	free(answer);
}

/* A queue with nothing around it: one allocation and one copy a message. */
struct item {
	struct item *next;
	char payload[BENCH_SIZE];
};

static void
local(char **operands)
{
	size_t i, n = bench_number(operands[0]), batch = 1000, sum = 0;
	struct item *item, *queue = NULL, **end = &queue;
	uint64_t begin = bench_now();
	char payload[BENCH_SIZE];

	memset(payload, 1, sizeof payload);
	for (i = 1; i <= n; i++) {
		item = malloc(sizeof *item);
		if (item == NULL)
			bench_die("memory");
		memcpy(item->payload, payload, sizeof payload);
		item->next = NULL;
		*end = item;
		end = &item->next;
		if (i % batch != 0 && i < n)
			continue;
		while ((item = queue) != NULL) {
			queue = item->next;
			sum += (size_t)item->payload[0];
			free(item);
		}
		end = &queue;
	}
	if (sum != n)
		bench_die("local");
	bench_print_rate(n, bench_now() - begin);
}

int
main(int argc, char **argv)
{
	static const struct bench_mode modes[] = {
	    {"raw", "CALLS", 1, raw},
	    {"oneway", "PATH SIZE COUNT", 3, oneway},
	    {"fanin", "PATH SENDERS COUNT", 3, fanin},
	    {"fanout", "PATH COUNT", 2, fanout},
	    {"connect", "PATH COUNT", 2, connects},
	    {"local", "COUNT", 1, local},
	    {NULL, NULL, 0, NULL},
	};

	static const struct bench_side side = {ask, echo, sink, flood, hold};

	return bench_main(&side, modes, argc, argv);
}
