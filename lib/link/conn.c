/*
 * Connections: dialing and accepting, writing what a link has, and the end.
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

#define WRITE_IOV 64

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

void
conn_end(struct conn *conn, const struct hm_error *err)
{
	if (conn->state == CONN_CLOSED)
		return;
	conn_close(conn);
	conn->ops->ended(conn, err);
}

void
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

	if (conn->state == CONN_OPEN && !conn->bye) {
		check_silence(conn);
		return;
	}
	(void)hm_fail(&err, ETIMEDOUT,
	    conn->state == CONN_LEAVING || conn->bye ? "peer does not leave"
						     : "peer does not greet");
	conn_end(conn, &err);
}

void
conn_await_end(struct conn *conn)
{
	conn->bye = true;
	(void)hm_timer_start(conn->loop, &conn->timer, CONN_LEAVE_MS);
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

int
conn_say(struct conn *conn, const unsigned char *bytes, size_t len)
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

	if (conn_say(
		conn, bytes, hm_hello_write(bytes, HM_REC_HELLO_BACK, back)))
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

	if (conn_say(conn, bytes, refusal_write(bytes, err)))
		conn_fail(conn, ENOMEM, "refuse");
	else
		conn_leave(conn, CONN_LEAVE_MS);
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
	if (conn_say(conn, bytes, hm_hello_write(bytes, HM_REC_HELLO, &hello)))
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
