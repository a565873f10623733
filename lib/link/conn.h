/*
 * A connection: a socket with its greeting, and the bytes between it and a
 * link.
 *
 * It is dialing, then greeting (it has said HELLO and waits for HELLO_BACK), or
 * it was accepted and waits for HELLO; then it is open and carries a link,
 * until it is closed or leaves (BYE said, reading to the end).  The owner frees
 * it; every end is told once, by ops->ended.
 */
#ifndef HM_CONN_H
#define HM_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hostmux/addr.h>
#include <hostmux/loop.h>

#include "link/link.h"

enum conn_state {
	CONN_DIALING,
	CONN_GREETING,
	CONN_ACCEPTED,
	CONN_OPEN,
	CONN_LEAVING,
	CONN_CLOSED
};

struct conn;

struct conn_ops {
	/* Connected: hello (whole) is to be filled in. */
	void (*connected)(struct conn *conn, struct hm_hello *hello);
	/* HELLO or HELLO_BACK has come.  0, having called conn_open (and, for
	 * HELLO, conn_answer); 1: not now, conn_retry asks again; -1:
	 * conn_refuse was called, or it is closed with err. */
	int (*greeted)(struct conn *conn, const struct hm_hello *hello,
	    struct hm_error *err);
	/* It is over (closed; free it later, not from in here): err says why;
	 * err->code 0 is an end of file, which only after a BYE is in order. */
	void (*ended)(struct conn *conn, const struct hm_error *err);
};

struct conn {
	const struct conn_ops *ops;
	void *owner;
	struct hm_loop *loop;
	struct chunk_arena *arena;
	struct link *link; /* NULL until open */
	struct hm_watch watch;
	struct hm_timer timer; /* greeting, leaving, silence */
	uint64_t watched;      /* for silence since then */
	bool bye;	       /* nothing but its end is to come */
	enum conn_state state;
	enum hm_transport transport;
	uint32_t uid, pid;
	unsigned char *rest; /* the beginning of a record */
	size_t nrest, crest;
	unsigned char *said; /* a greeting being written */
	size_t nsaid, dsaid;
	struct conn *next, *prev; /* the owner's */
};

/* Takes fd, accepted; waits for HELLO, at most ms. NULL: ENOMEM (fd closed). */
struct conn *conn_accepted(struct hm_loop *loop, struct chunk_arena *arena,
    int fd, enum hm_transport transport, uint64_t ms,
    const struct conn_ops *ops, void *owner);
/* Dials addr; ms bounds the greeting, from now. NULL with a sentence. */
struct conn *conn_dial(struct hm_loop *loop, struct chunk_arena *arena,
    const struct hm_addr *addr, uint64_t ms, const struct conn_ops *ops,
    void *owner, struct hm_error *err);
void conn_free(struct conn *conn);
/* Closed at once, without a word; ops->ended is not called. */
void conn_close(struct conn *conn);
/* From ops->greeted: this link's records follow. */
void conn_open(struct conn *conn, struct link *link);
void conn_answer(struct conn *conn, const struct hm_hello *back);
/* Takes again what was put off. */
void conn_retry(struct conn *conn);
/* Says BYE with the reason instead, and leaves. */
void conn_refuse(struct conn *conn, const struct hm_error *err);
/* Writes what the link has for it. */
void conn_flush(struct conn *conn);
/* The peer has said BYE: it has CONN_LEAVE_MS to close. */
void conn_await_end(struct conn *conn);
/* Everything is written, then end of file; reads to the peer's, at most ms. */
void conn_leave(struct conn *conn, uint64_t ms);

/* --- conn.c and conn_in.c */

/* Who has been told why has so long to hear it and to close. */
#define CONN_LEAVE_MS 1000

/* It is over, which the owner is told. */
void conn_end(struct conn *conn, const struct hm_error *err);
/* The same, for "what: " and the words of an errno. */
void conn_fail(struct conn *conn, int code, const char *what);
/* Bytes that go before what the link has.  0, or -1 and ENOMEM. */
int conn_say(struct conn *conn, const unsigned char *bytes, size_t len);
/* Reads once and takes what is whole. */
void conn_read(struct conn *conn);

#endif
