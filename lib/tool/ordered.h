/*
 * Answers in the order of their questions, whatever order they come in.
 *
 * An answer whose turn has come goes straight to the writer; others wait for
 * the earlier ones, ORDERED_MAX of them at most: whoever asks must stop while
 * ordered_room says so.
 */
#ifndef HM_ORDERED_H
#define HM_ORDERED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tool/writer.h"

#define ORDERED_MAX 1024u
/* The same bound for large answers, in bytes. */
#define ORDERED_BYTES ((size_t)16 * 1024 * 1024)

struct ordered {
	struct writer *out; /* borrowed */
	char end;	    /* follows each answer */
	uint64_t first;	    /* the oldest question without an answer */
	uint64_t next;	    /* number of the next question */
	size_t held;	    /* bytes of those that wait */
	struct {
		char *bytes;
		size_t len;
		bool done;
	} slots[ORDERED_MAX];
};

/* Questions are numbered from 1. */
void ordered_init(struct ordered *ordered, struct writer *out, char end);
void ordered_fini(struct ordered *ordered);
bool ordered_room(const struct ordered *ordered);
/* The number of a new question; only while there is room. */
uint64_t ordered_begin(struct ordered *ordered);
/* The answer to an open question, copied.  -1 and ENOMEM (the question is
 * still open), which an empty one never gives. */
int ordered_end(
    struct ordered *ordered, uint64_t number, const void *bytes, size_t len);
bool ordered_open(const struct ordered *ordered, uint64_t number);
/* Every question has its answer. */
bool ordered_done(const struct ordered *ordered);

#endif
