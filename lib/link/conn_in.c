/*
 * Connections: reading into the arena, and the greeting.
 *
 * One read a turn, of all that is there up to a bound, so that no peer can
 * keep the loop to itself.  What a read leaves over is the beginning of one
 * record; it is kept aside and put in front of the next read, so records always
 * stand whole in one chunk.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link/conn.h"
#include "link/refusal.h"

#define READ_MAX ((size_t)128 * 1024)

/* Whoever dialed has closed it again.  Its greeting may be older than what came
 * over others since: where that could end a session it is none. */
static bool
has_gone(const struct conn *conn, const struct hm_hello *hello)
{
	char byte;
	ssize_t n;

	if (conn->state != CONN_ACCEPTED ||
	    conn->transport != HM_TRANSPORT_TCP ||
	    (hello->kind != HM_HELLO_HOST && hello->kind != HM_HELLO_RESUME))
		return false;
	n = recv(conn->watch.fd, &byte, 1, MSG_PEEK);
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
	if (has_gone(conn, &hello))
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

	if (conn_say(conn, (const unsigned char *)begun.p, begun.n) == -1 ||
	    conn_say(conn, bye, bye_write(bye, err->text)) == -1) {
		conn_end(conn, err);
		return;
	}
	conn->state = CONN_LEAVING;
	conn->ops->ended(conn, err);
	conn_leave(conn, CONN_LEAVE_MS);
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
void
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
