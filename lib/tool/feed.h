/*
 * Bytes to a command and lines from it.
 *
 * A feed writes what stands for messages into a pipe; a message is settled as
 * delivered when its last byte is in.  A drain reads lines out of one.
 */
#ifndef HM_FEED_H
#define HM_FEED_H

#include <hostmux/proc.h>

/* Beyond so much waiting bytes no more messages are taken. */
#define FEED_HIGH ((size_t)64 * 1024)

struct fed {
	struct fed *next;
	struct hm_envelope *msg;
	uint64_t end; /* of its bytes in all that is fed */
};

struct feed {
	struct hm_loop *loop;
	struct hm_watch watch; /* fd owned; -1: closed */
	char *buf;
	size_t start, len, cap;
	uint64_t fed, written; /* bytes ever */
	struct fed *first, **last;
	bool ending; /* closed when everything is written */
	/* A message is in; it is settled after. */
	void (*taken)(void *arg, struct hm_envelope *msg);
	/* There is room again, or nobody reads any more. */
	void (*room)(void *arg);
	void *arg;
};

/* Takes fd. */
void feed_init(struct feed *feed, struct hm_loop *loop, int fd);
/* Adds the bytes of two parts that stand for msg (taken on success).  -1:
 * nobody reads, or ENOMEM. */
int feed_add(struct feed *feed, struct hm_envelope *msg, const void *a,
    size_t alen, const void *b, size_t blen);
bool feed_full(const struct feed *feed);
/* No more: closed once all is written. */
void feed_end(struct feed *feed);
/* Closed now; what was not written is refused with why. */
void feed_close(struct feed *feed, const char *why);

struct drain {
	struct hm_loop *loop;
	struct hm_watch watch; /* fd owned; -1: closed */
	char *buf;
	size_t start, len, cap, max;
	bool eof, paused;
	/* What was read is looked at: the bytes used, which may be 0 when there
	 * is no whole thing, or the drain was paused. last: nothing follows. */
	size_t (*take)(void *arg, const char *bytes, size_t len, bool last);
	void (*closed)(void *arg);
	void *arg;
};

/* Takes fd; max bounds what may stand unfinished (beyond it: closed). */
void drain_init(struct drain *drain, struct hm_loop *loop, int fd,
    size_t max);
/* Looks again at what is there. */
void drain_resume(struct drain *drain);
/* Reads dry what is there now, without waiting for an end that may never
 * come. */
void drain_dry(struct drain *drain);
void drain_fini(struct drain *drain);

#endif
