/*
 * A peer that says whatever it is told to, and hears what is said to it: the
 * bytes of a link, without the library's own idea of what may be sent.
 */
#ifndef RAW_H
#define RAW_H

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "check.h"
#include "wire/record.h"

#define RAW_MS 20000 /* nobody is waited for longer */

/* Bytes to be said. */
struct said {
	size_t n;
	unsigned char p[256 * 1024];
};

/* What is said to us, record by record. */
struct raw {
	int fd;
	bool over; /* the end of the file */
	size_t n, used;
	struct hm_record rec;	   /* the last one taken */
	const unsigned char *body; /* of that */
	unsigned char in[256 * 1024];
};

static inline void
say_record(struct said *s, unsigned type, unsigned flags, size_t extra,
    const void *body, size_t len)
{
	struct hm_record rec = {
	    (uint32_t)len, (uint8_t)type, (uint8_t)flags, (uint16_t)extra};

	CHECK(s->n + HM_RECORD_HEADER + len <= sizeof s->p);
	hm_record_header(s->p + s->n, &rec);
	if (len > 0)
		memcpy(s->p + s->n + HM_RECORD_HEADER, body, len);
	s->n += HM_RECORD_HEADER + len;
}

static inline void
say_number(struct said *s, unsigned type, unsigned flags, uint64_t n)
{
	unsigned char body[8];

	hm_put64(body, n);
	say_record(s, type, flags, 0, body, sizeof body);
}

static inline void
say_bye(struct said *s)
{
	say_record(s, HM_REC_BYE, 0, 0, "\0", 2);
}

/* A greeting: as kind, called so. */
static inline struct hm_hello
raw_hello(enum hm_hello_kind kind, const char *addr, const char *name)
{
	static uint64_t session = (uint64_t)1 << 32;
	struct hm_hello hello = {HM_WIRE_MAJOR, HM_WIRE_MINOR, (uint8_t)kind,
	    ++session, 0, 1 << 20, 65536, {addr, strlen(addr)},
	    {name, strlen(name)}, {"", 0}};

	return hello;
}

static inline void
say_hello(struct said *s, const struct hm_hello *hello)
{
	s->n += hm_hello_write(s->p + s->n, HM_REC_HELLO, hello);
}

/* A DATA record with the head that src says, and len bytes of payload. */
static inline void
say_data(struct said *s, unsigned flags, uint64_t number,
    const struct hm_head_source *src, const void *payload, size_t len)
{
	unsigned char body[HM_BODY_MAX];
	long head = 0;

	if (src != NULL)
		head = hm_head_write(body + 8, src);
	CHECK(head >= 0 && len <= HM_PIECE_MAX);
	hm_put64(body, number);
	if (len > 0)
		memcpy(body + 8 + head, payload, len);
	say_record(
	    s, HM_REC_DATA, flags, (size_t)head, body, 8 + (size_t)head + len);
}

static inline void
raw_dial(struct raw *raw, const char *text)
{
	struct hm_addr addr;
	struct hm_error err;
	struct pollfd fds;
	int flags;

	CHECK(hm_addr_parse(&addr, text, 0, &err) == 0);
	raw->n = raw->used = 0;
	raw->over = false;
	/* A backlog that is full says so. */
	while ((raw->fd = sys_dial(&addr, &err)) == -1 && err.code == EAGAIN)
		CHECK(poll(NULL, 0, 1) == 0);
	CHECK(raw->fd != -1);
	fds.fd = raw->fd;
	fds.events = POLLOUT;
	CHECK(poll(&fds, 1, RAW_MS) == 1 && sys_connected(raw->fd) == 0);
	flags = fcntl(raw->fd, F_GETFL);
	CHECK(flags != -1);
	CHECK(fcntl(raw->fd, F_SETFL, flags & ~O_NONBLOCK) == 0);
}

/* All of it, as far as it is taken. */
static inline void
raw_say(struct raw *raw, const struct said *s)
{
	size_t at = 0;
	ssize_t n;

	while (at < s->n) {
		n = send(raw->fd, s->p + at, s->n - at, MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			CHECK(errno == EPIPE || errno == ECONNRESET);
			return;
		}
		at += (size_t)n;
	}
}

/* It has said BYE, and says no more. */
static inline void
raw_end(struct raw *raw)
{
	CHECK(shutdown(raw->fd, SHUT_WR) == 0 || errno == ENOTCONN);
}

static inline void
raw_read(struct raw *raw)
{
	struct pollfd fds = {raw->fd, POLLIN, 0};
	ssize_t n;

	memmove(raw->in, raw->in + raw->used, raw->n - raw->used);
	raw->n -= raw->used;
	raw->used = 0;
	CHECK(raw->n < sizeof raw->in);
	CHECK(poll(&fds, 1, RAW_MS) == 1); /* neither an answer nor an end */
	n = read(raw->fd, raw->in + raw->n, sizeof raw->in - raw->n);
	CHECK(n >= 0 || errno == ECONNRESET);
	raw->over = n <= 0;
	raw->n += n > 0 ? (size_t)n : 0;
}

/* The next record that comes; false: the end of the file, which does not cut
 * one in two. */
static inline bool
raw_next(struct raw *raw)
{
	int got;

	for (;;) {
		got = hm_record_peek(
		    raw->in + raw->used, raw->n - raw->used, &raw->rec, NULL);
		CHECK(got != -1);
		if (got == 1)
			break;
		if (raw->over) {
			CHECK(raw->n == raw->used);
			return false;
		}
		raw_read(raw);
	}
	raw->body = raw->in + raw->used + HM_RECORD_HEADER;
	raw->used += HM_RECORD_HEADER + raw->rec.len;
	return true;
}

/* The next record of that type. */
static inline void
raw_until(struct raw *raw, unsigned type)
{
	while (raw_next(raw) && raw->rec.type != type)
		CHECK(raw->rec.type != HM_REC_BYE);
	CHECK(!raw->over || raw->rec.type == type);
}

static inline void
raw_close(struct raw *raw)
{
	CHECK(close(raw->fd) == 0);
	raw->fd = -1;
}

/* Greets, and hears how who is dialed is called. */
static inline void
raw_greet(struct raw *raw, const struct hm_hello *hello, char *addr)
{
	static struct said s;
	struct hm_hello back;

	s.n = 0;
	say_hello(&s, hello);
	raw_say(raw, &s);
	CHECK(raw_next(raw) && raw->rec.type == HM_REC_HELLO_BACK);
	CHECK(hm_hello_read(&back, raw->body, raw->rec.len, NULL) == 0);
	CHECK(back.addr.n < HM_ADDR_SIZE);
	memcpy(addr, back.addr.p, back.addr.n);
	addr[back.addr.n] = '\0';
}

#endif
