/*
 * A reader: text cut into messages.  It reads operands, or a descriptor whose
 * flags it leaves alone (they are shared with whoever else has it): it asks
 * poll first, so that a read never waits.
 */
#ifndef HM_READER_H
#define HM_READER_H

#include <stddef.h>

#include <hostmux/envelope.h>
#include <hostmux/loop.h>

enum reader_form {
	READER_LINES, /* a last line without newline counts */
	READER_NULL,  /* the same with NUL */
	READER_WHOLE  /* everything is one message */
};

enum reader_got {
	READER_ONE,	/* a message */
	READER_LONG,	/* one that was longer than max, and is skipped */
	READER_BLOCKED, /* nothing yet: reader_wait */
	READER_END,
	READER_FAILED /* errno says why; nothing more will come */
};

struct reader {
	char *const *texts; /* operands, NULL-ended; NULL: fd is read */
	int fd;		    /* borrowed */
	enum reader_form form;
	size_t max;
	bool ended, skipping;
	char *buf;
	size_t start, looked, len, cap; /* what is before looked has no end */
	struct hm_watch watch;
	struct hm_loop *loop;
	void (*fn)(void *arg);
	void *arg;
};

/* texts: the messages, if there are any (texts[0] not NULL). */
void reader_init(struct reader *reader, char *const *texts, int fd,
    enum reader_form form, size_t max);
void reader_fini(struct reader *reader);
/* The message stays where it is until the next call. */
enum reader_got reader_next(struct reader *reader, struct hm_slice *message);
/* After READER_BLOCKED: calls fn once, when there is more.  0 or -1. */
int reader_wait(struct reader *reader, struct hm_loop *loop,
    void (*fn)(void *arg), void *arg);

#endif
