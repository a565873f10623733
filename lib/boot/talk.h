/*
 * A conversation: JSON over a stream socket, one object a line, both ways.
 */
#ifndef HM_TALK_H
#define HM_TALK_H

#include <stdbool.h>
#include <stddef.h>

#include <hostmux/json.h>
#include <hostmux/loop.h>

struct talk {
	struct hm_loop *loop;
	struct hm_watch watch; /* its fd is owned; -1: over */
	size_t line_max;
	char *in, *out;
	size_t len, cap; /* of in */
	size_t out_len, out_cap;
	bool *ended; /* inside said: set when it is stopped there */
	/* A line has come.  -1: that is not wanted, the talk is over.  Must not
	 * end it otherwise, but in a turn of the loop. */
	int (*said)(void *arg, const struct hm_json *line);
	/* It is over, by the other side or by a bad line; may free it. */
	void (*closed)(void *arg);
	void *arg;
};

/* Takes fd, nonblocking; loop, line_max, said, closed and arg are set.  -1
 * ENOMEM (fd is closed). */
int talk_start(struct talk *talk, int fd);
/* Sends a line, an object that is ended here; takes out.  Never waits: what
 * cannot be sent now is kept.  -1 when it is over or there is no memory. */
int talk_say(struct talk *talk, struct hm_json_out *out);
/* Takes what is there now. */
void talk_listen(struct talk *talk);
/* Bytes said and not taken by the kernel yet. */
size_t talk_waiting(const struct talk *talk);
/* Ends it without a word; closed is not called. */
void talk_stop(struct talk *talk);

#endif
