/*
 * An outlet: the writing end of a pipe to a command.  One message is written
 * at a time; what it is made of stays the caller's until it is written.
 */
#ifndef HM_OUTLET_H
#define HM_OUTLET_H

#include <sys/uio.h>

#include <stdbool.h>

#include <hostmux/loop.h>

#define OUTLET_PARTS 3

struct outlet {
	struct hm_loop *loop;
	struct hm_watch watch;
	int fd; /* owned; -1: closed, or nobody reads any more */
	struct iovec parts[OUTLET_PARTS];
	int first, n;
	/* What was begun is written, or (fd is -1) will not be. */
	void (*fn)(void *arg);
	void *arg;
};

/* Makes a pipe; its other end, which blocks, is *theirs.  -1 with errno. */
int outlet_open(struct outlet *out, struct hm_loop *loop, int *theirs,
    void (*fn)(void *arg), void *arg);
void outlet_close(struct outlet *out);
/* 1: written; 0: fn will be called; -1: nobody reads (EPIPE), and it is closed.
 * Nothing else is being written. */
int outlet_write(struct outlet *out, const struct iovec *parts, int n);
static inline bool
outlet_busy(const struct outlet *out)
{
	return out->first < out->n;
}

#endif
