/*
 * A writer: output that is gathered in a turn of the loop and written at its
 * end, as far as it goes without waiting.  The descriptor's flags are left
 * alone (they are shared with whoever else has it).
 */
#ifndef HM_WRITER_H
#define HM_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include <hostmux/loop.h>

/* From here on it is too much, and who makes it should stop. */
#define WRITER_FULL ((size_t)1024 * 1024)

struct writer {
	struct hm_loop *loop;
	int fd;	   /* borrowed */
	int error; /* 0, or the errno that ended it: EPIPE when nobody reads */
	size_t most; /* bytes of one write */
	char *buf;
	size_t start, len, cap;
	uint64_t put, written; /* bytes, since it was made */
	struct hm_watch watch;
	struct hm_task task;
	void (*fn)(void *arg); /* it has been tried; perhaps it has ended */
	void *arg;
};

void writer_init(struct writer *writer, struct hm_loop *loop, int fd,
    void (*fn)(void *arg), void *arg);
/* What waits is dropped. */
void writer_fini(struct writer *writer);
/* Takes a copy; what cannot be kept (ENOMEM) ends the writer, and after its
 * end nothing is kept. */
void writer_put(struct writer *writer, const void *bytes, size_t len);
/* Bytes put and not written. */
size_t writer_waiting(const struct writer *writer);

#endif
