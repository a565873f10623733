/*
 * An inlet: the reading end of a pipe from a command, and what was read from
 * it and not used yet.
 */
#ifndef HM_INLET_H
#define HM_INLET_H

#include <stdbool.h>
#include <stddef.h>

#include <hostmux/loop.h>

struct inlet {
	struct hm_loop *loop;
	struct hm_watch watch;
	bool watched; /* else fn is not called */
	int fd;	      /* owned; -1: at its end */
	bool last;    /* its writer has ended: an empty pipe is the end */
	bool failed;  /* there was no memory: something is missing */
	bool goes_on; /* also then, with what comes next */
	char *buf;    /* start … len are unused yet */
	size_t start, len, cap;
	void (*fn)(void *arg); /* there is something to read, or the end */
	void *arg;
};

/* Makes a pipe; its other end, which blocks, is *theirs.  -1 with errno. */
int inlet_open(struct inlet *in, struct hm_loop *loop, int *theirs,
    void (*fn)(void *arg), void *arg);
void inlet_fini(struct inlet *in);
/* One read, behind what is there: 1; 0 when there is nothing now; -1 at the
 * end (also when there is no memory to go on).  When "failed" comes about, what
 * was there is gone. */
int inlet_read(struct inlet *in);
/* Calls fn, or not, when there is something to read. */
void inlet_watch(struct inlet *in, bool on);
static inline const char *
inlet_bytes(const struct inlet *in)
{
	return in->buf == NULL ? "" : in->buf + in->start;
}
static inline size_t
inlet_size(const struct inlet *in)
{
	return in->len - in->start;
}

#endif
