/*
 * Connections: reading into the arena, writing what a link has, greeting.
 *
 * One read a turn, of all that is there up to a bound, so that no peer can
 * keep the loop to itself; writing goes on until the socket is full.  What a
 * read leaves over is the beginning of one record; it is kept aside and put in
 * front of the next read, so records always stand whole in one chunk.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "link/conn.h"
#include "link/refusal.h"
#include "link/silence.h"

#define READ_MAX ((size_t)128 * 1024)
#define WRITE_IOV 64
/* Who has been told why has so long to hear it and to close. */
#define LEAVE_MS 1000

static void on_ready(void *arg, int fd, short revents);
static void on_timer(void *arg);

static struct conn *
conn_new(struct hm_loop *loop, struct chunk_arena *arena,
    enum hm_transport transport, const struct conn_ops *ops, void *owner)
{
	struct conn *conn = calloc(1, sizeof *conn);

	if (conn == NULL)
		return NULL;
	conn->ops = ops;
	conn->owner = owner;
	conn->loop = loop;
	conn->arena = arena;
	conn->transport = transport;
	conn->uid = HM_UID_UNKNOWN;
	conn->watch.fn = on_ready;
	conn->watch.arg = conn;
	conn->watch.fd = -1;
	conn->timer.fn = on_timer;
	conn->timer.arg = conn;
	return conn;
}

void
conn_close(struct conn *conn)
{
	int fd = conn->watch.fd;

	hm_watch_stop(conn->loop, &conn->watch);
	hm_timer_stop(conn->loop, &conn->timer);
	if (fd != -1)
		(void)close(fd);
	conn->watch.fd = -1;
	conn->state = CONN_CLOSED;
}

void
conn_free(struct conn *conn)
{
	if (conn == NULL)
		return;
	conn_close(conn);
	free(conn->rest);
	free(conn->said);
	free(conn);
}

static void
conn_end(struct conn *conn, const struct hm_error *err)
{
	if (conn->state == CONN_CLOSED)
		return;
	conn_close(conn);
	conn->ops->ended(conn, err);
}

static void
conn_fail(struct conn *conn, int code, const char *what)
{
	struct hm_error err;

	(void)hm_fail(&err, code, "%s: %s", what, strerror(code));
	conn_end(conn, &err);
}

static void
check_silence(struct conn *conn)
{
	int fd = conn->watch.fd;

	switch (silence_check(fd, conn->watched, hm_loop_now(conn->loop))) {
	case 1:
		(void)hm_timer_start(conn->loop, &conn->timer, SILENCE_STEP_MS);
		break;
	case -1:
		conn_fail(conn, ETIMEDOUT, "its machine is silent");
		break;
	}
}

static void
watch_silence(struct conn *conn)
{
	if (conn->transport != HM_TRANSPORT_TCP || conn->state != CONN_OPEN ||
	    hm_timer_running(&conn->timer))
		return;
	conn->watched = hm_loop_now(conn->loop);
	(void)hm_timer_start(conn->loop, &conn->timer, SILENCE_STEP_MS);
}

static void
on_timer(void *arg)
{
	struct conn *conn = arg;
	struct hm_error err;

	if (conn->state == CONN_OPEN) {
		check_silence(conn);
		return;
	}

	(void)hm_fail(&err, ETIMEDOUT,
	    conn->state == CONN_LEAVING ? "peer does not leave"
					: "peer does not greet");
	conn_end(conn, &err);
}

/* Takes fd, watched for events; the greeting has ms.  NULL: ENOMEM. */
static struct conn *
conn_start(struct conn *conn, int fd, short events, uint64_t ms)
{
	if (conn != NULL &&
	    hm_watch_start(conn->loop, &conn->watch, fd, events) == 0 &&
	    hm_timer_start(conn->loop, &conn->timer, ms) == 0)
		return conn;
	if (conn != NULL) {
		hm_watch_stop(conn->loop, &conn->watch);
		conn->watch.fd = -1;
		conn_free(conn);
	}
	(void)close(fd);
	errno = ENOMEM;
	return NULL;
}

struct conn *
conn_accepted(struct hm_loop *loop, struct chunk_arena *arena, int fd,
    enum hm_transport transport, uint64_t ms, const struct conn_ops *ops,
    void *owner)
{
	struct conn *conn = conn_start(
	    conn_new(loop, arena, transport, ops, owner), fd, POLLIN, ms);

	if (conn == NULL)
		return NULL;
	conn->state = CONN_ACCEPTED;
	sys_tune(fd, transport);
	if (transport == HM_TRANSPORT_UNIX)
		(void)sys_peer(fd, &conn->uid, &conn->pid);
	return conn;
}

struct conn *
conn_dial(struct hm_loop *loop, struct chunk_arena *arena,
    const struct hm_addr *addr, uint64_t ms, const struct conn_ops *ops,
    void *owner, struct hm_error *err)
{
	struct conn *conn;
	int fd = sys_dial(addr, err);

	if (fd == -1)
		return NULL;
	conn = conn_start(conn_new(loop, arena, addr->transport, ops, owner),
	    fd, POLLOUT, ms);
	if (conn == NULL) {
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	conn->state = CONN_DIALING;
	return conn;
}

/* Watches for what the state wants. */
static void
conn_want(struct conn *conn, bool out)
{
	short events = POLLIN;

	if (out)
		events |= POLLOUT;
	if (conn->watch.events != events &&
	    hm_watch_start(conn->loop, &conn->watch, conn->watch.fd, events))
		conn_fail(conn, errno, "watch");
}

/* The greeting goes before everything else.  1 written, 0 not yet, -1. */
static int
write_said(struct conn *conn)
{
	ssize_t n;

	while (conn->dsaid < conn->nsaid) {
		n = send(conn->watch.fd, conn->said + conn->dsaid,
		    conn->nsaid - conn->dsaid, MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return errno == EAGAIN ? 0 : -1;
		conn->dsaid += (size_t)n;
	}
	free(conn->said);
	conn->said = NULL;
	conn->nsaid = conn->dsaid = 0;
	return 1;
}

static int
say(struct conn *conn, const unsigned char *bytes, size_t len)
{
	unsigned char *said;

	if (len == 0)
		return 0;
	said = realloc(conn->said, conn->nsaid + len);
	if (said == NULL)
		return -1;
	memcpy(said + conn->nsaid, bytes, len);
	conn->said = said;
	conn->nsaid += len;
	return 0;
}

/* Writes until all is written (1), the socket is full (0), or -1. */
static int
write_link(struct conn *conn)
{
	struct iovec iov[WRITE_IOV];
	struct msghdr msg;
	ssize_t i, n;

	for (;;) {
		link_pump(conn->link);
		memset(&msg, 0, sizeof msg);
		msg.msg_iov = iov;
		n = link_output(conn->link, iov, WRITE_IOV);
		if (n == 0)
			return 1;
		/* Its type differs between libcs: counted, not converted. */
		for (i = 0; i < n; i++)
			msg.msg_iovlen++;
		n = sendmsg(conn->watch.fd, &msg, MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return errno == EAGAIN ? 0 : -1;
		link_wrote(conn->link, (size_t)n);
		watch_silence(conn);
	}
}

void
conn_flush(struct conn *conn)
{
	int done;

	if (conn->state == CONN_CLOSED || conn->state == CONN_DIALING)
		return;
	done = write_said(conn);
	if (done == 1 && conn->link != NULL && !conn->link->dead) {
		link_gather(conn->link);
		if (conn->link->lame) {
			conn_fail(conn, ENOMEM, "settlement");
			return;
		}
		done = write_link(conn);
	}
	/* A peer that has gone is told by reading, behind what it has said. */
	if (done == -1 && errno != EPIPE && errno != ECONNRESET) {
		conn_fail(conn, errno, "write");
		return;
	}
	if (done == 1 && conn->state == CONN_LEAVING)
		(void)shutdown(conn->watch.fd, SHUT_WR);
	conn_want(conn, done == 0);
}

void
conn_open(struct conn *conn, struct link *link)
{
	conn->link = link;
	conn->state = CONN_OPEN;
	hm_timer_stop(conn->loop, &conn->timer);
}

void
conn_answer(struct conn *conn, const struct hm_hello *back)
{
	unsigned char bytes[HM_HELLO_MAX];

	if (say(conn, bytes, hm_hello_write(bytes, HM_REC_HELLO_BACK, back)))
		conn_fail(conn, ENOMEM, "greeting");
}

void
conn_leave(struct conn *conn, uint64_t ms)
{
	if (conn->state == CONN_CLOSED)
		return;
	conn->state = CONN_LEAVING;
	if (hm_timer_start(conn->loop, &conn->timer, ms))
		conn_fail(conn, ENOMEM, "leave");
	else
		conn_flush(conn);
}

void
conn_refuse(struct conn *conn, const struct hm_error *err)
{
	unsigned char bytes[REFUSAL_MAX];

	if (say(conn, bytes, refusal_write(bytes, err)))
		conn_fail(conn, ENOMEM, "refuse");
	else
		conn_leave(conn, LEAVE_MS);
}

/* Whoever dialed has closed it again.  Its greeting may be older than what came
 * over others since: it is none. */
static bool
has_gone(const struct conn *conn)
{
	char byte;
	ssize_t n = recv(conn->watch.fd, &byte, 1, MSG_PEEK);

	return n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR);
}

/* The greeting stands at p, or a part of it: bytes used, 0, or -1. */
static long
take_greeting(
    struct conn *conn, const unsigned char *p, size_t len, struct hm_error *err)
{
	struct hm_record rec;
	struct hm_hello hello;
	int got = hm_record_peek(p, len, &rec, err);
	const unsigned char *body = p + HM_RECORD_HEADER;
	int want =
	    conn->state == CONN_ACCEPTED ? HM_REC_HELLO : HM_REC_HELLO_BACK;

	/* Whoever has not greeted is not waited for with anything else. */
	if (got == 0 && len >= HM_RECORD_HEADER && rec.type != want &&
	    rec.type != HM_REC_BYE)
		return hm_fail(err, EPROTO, "peer does not greet");
	if (got <= 0)
		return got;
	if (rec.type == HM_REC_BYE && conn->state == CONN_GREETING) {
		refusal_read(err, body);
		return -1;
	}
	if (rec.type != want)
		return hm_fail(err, EPROTO, "peer does not greet");
	if (hm_hello_read(&hello, body, rec.len, err) == -1)
		return -1;
	if (conn->state == CONN_ACCEPTED && has_gone(conn))
		return hm_fail(err, ECONNRESET, "peer has gone");
	got = conn->ops->greeted(conn, &hello, err);
	if (got != 0)
		return got == 1 ? 0 : -1;
	return (long)(rec.len + HM_RECORD_HEADER);
}

/* What stands at p (len bytes, in chunk): bytes used, or -1. */
static long
take_bytes(struct conn *conn, struct chunk *chunk, unsigned char *p, size_t len,
    struct hm_error *err)
{
	long used = 0, n;

	if (conn->state == CONN_ACCEPTED || conn->state == CONN_GREETING) {
		used = take_greeting(conn, p, len, err);
		if (used <= 0)
			return used;
	}
	if (conn->state == CONN_LEAVING || conn->state == CONN_CLOSED ||
	    conn->link == NULL)
		return (long)len;
	n = link_input(conn->link, chunk, p + used, len - (size_t)used, err);
	return n == -1 ? -1 : used + n;
}

static int
keep_rest(struct conn *conn, const unsigned char *p, size_t len)
{
	unsigned char *rest;

	if (len == 0) {
		free(conn->rest);
		conn->rest = NULL;
		conn->crest = 0;
	} else if (len > conn->crest) {
		rest = realloc(conn->rest, len);
		if (rest == NULL)
			return -1;
		conn->rest = rest;
		conn->crest = len;
	}
	if (len > 0)
		memcpy(conn->rest, p, len);
	conn->nrest = len;
	return 0;
}

/* The link is over, and its peer hears why: a BYE behind the record that is
 * just being written.  The owner does not wait for that. */
static void
conn_expel(struct conn *conn, const struct hm_error *err)
{
	unsigned char bye[REFUSAL_MAX];
	struct hm_slice begun = link_begun(conn->link);

	if (say(conn, (const unsigned char *)begun.p, begun.n) == -1 ||
	    say(conn, bye, bye_write(bye, err->text)) == -1) {
		conn_end(conn, err);
		return;
	}
	conn->state = CONN_LEAVING;
	conn->ops->ended(conn, err);
	conn_leave(conn, LEAVE_MS);
}

/* What came breaks the protocol, or cannot be taken. */
static void
conn_broken(struct conn *conn, const struct hm_error *err)
{
	if (conn->state == CONN_LEAVING || conn->state == CONN_CLOSED)
		return;
	if (conn->state == CONN_ACCEPTED)
		conn_refuse(conn, err);
	else if (conn->state == CONN_OPEN && err->code == EPROTO)
		conn_expel(conn, err);
	else
		conn_end(conn, err);
}

/* Takes what is whole of the rest and n bytes that stand behind its place. */
static void
conn_take(struct conn *conn, struct chunk *chunk, size_t n)
{
	unsigned char *p = chunk->bytes + chunk->used;
	size_t len = conn->nrest + n;
	struct hm_error err;
	long used;

	if (conn->nrest > 0)
		memcpy(p, conn->rest, conn->nrest);
	chunk->used += len;
	chunk_hold(chunk);
	used = take_bytes(conn, chunk, p, len, &err);
	if (used == -1)
		conn_broken(conn, &err);
	else if (conn->state != CONN_CLOSED &&
		 keep_rest(conn, p + used, len - (size_t)used) == -1)
		conn_fail(conn, ENOMEM, "read");
	chunk_drop(chunk);
}

void
conn_retry(struct conn *conn)
{
	struct chunk *chunk;

	if (conn->state != CONN_ACCEPTED || conn->nrest == 0)
		return;
	chunk = chunk_current(conn->arena, conn->nrest);
	if (chunk == NULL)
		conn_fail(conn, ENOMEM, "read");
	else
		conn_take(conn, chunk, 0);
}

/* Reads once and takes what is whole. */
static void
conn_read(struct conn *conn)
{
	struct chunk *chunk =
	    chunk_current(conn->arena, conn->nrest + READ_MAX);
	struct hm_error err;
	ssize_t n;

	if (chunk == NULL) {
		conn_fail(conn, ENOMEM, "read");
		return;
	}
	n = read(
	    conn->watch.fd, chunk->bytes + chunk->used + conn->nrest, READ_MAX);
	if (n == -1) {
		if (errno != EAGAIN && errno != EINTR)
			conn_fail(conn, errno, "read");
		return;
	}
	if (n == 0) {
		memset(&err, 0, sizeof err);
		conn_end(conn, &err);
		return;
	}
	conn_take(conn, chunk, (size_t)n);
}

static void
conn_dialed(struct conn *conn)
{
	unsigned char bytes[HM_HELLO_MAX];
	struct hm_hello hello;
	int code = sys_connected(conn->watch.fd);

	if (code == EINPROGRESS)
		return;
	if (code != 0) {
		conn_fail(conn, code, "connect");
		return;
	}
	sys_tune(conn->watch.fd, conn->transport);
	if (conn->transport == HM_TRANSPORT_UNIX)
		(void)sys_peer(conn->watch.fd, &conn->uid, &conn->pid);
	conn->state = CONN_GREETING;
	memset(&hello, 0, sizeof hello);
	conn->ops->connected(conn, &hello);
	if (say(conn, bytes, hm_hello_write(bytes, HM_REC_HELLO, &hello)))
		conn_fail(conn, ENOMEM, "greeting");
	else
		conn_flush(conn);
}

static void
on_ready(void *arg, int fd, short revents)
{
	struct conn *conn = arg;

	(void)fd;
	if (conn->state == CONN_DIALING) {
		conn_dialed(conn);
		return;
	}
	if (revents & POLLOUT)
		conn_flush(conn);
	if (conn->state != CONN_CLOSED &&
	    revents & (POLLIN | POLLHUP | POLLERR))
		conn_read(conn);
}
