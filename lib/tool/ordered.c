/*
 * Answers in order: a ring of the questions between the oldest unanswered one
 * and the next.
 */
#include <stdlib.h>
#include <string.h>

#include "tool/ordered.h"

void
ordered_init(struct ordered *ordered, struct writer *out, char end)
{
	memset(ordered, 0, sizeof *ordered);
	ordered->out = out;
	ordered->end = end;
	ordered->first = ordered->next = 1;
}

void
ordered_fini(struct ordered *ordered)
{
	size_t i;

	for (i = 0; i < ORDERED_MAX; i++) {
		free(ordered->slots[i].bytes);
		ordered->slots[i].bytes = NULL;
	}
}

bool
ordered_room(const struct ordered *ordered)
{
	return ordered->next - ordered->first < ORDERED_MAX &&
	       ordered->held < ORDERED_BYTES;
}

uint64_t
ordered_begin(struct ordered *ordered)
{
	ordered->slots[ordered->next % ORDERED_MAX].done = false;
	return ordered->next++;
}

bool
ordered_open(const struct ordered *ordered, uint64_t number)
{
	return number >= ordered->first && number < ordered->next &&
	       !ordered->slots[number % ORDERED_MAX].done;
}

bool
ordered_done(const struct ordered *ordered)
{
	return ordered->first == ordered->next;
}

static void
put(struct ordered *ordered, const void *bytes, size_t len)
{
	writer_put(ordered->out, bytes, len);
	writer_put(ordered->out, &ordered->end, 1);
	ordered->first++;
}

/* Those that waited for the one just put. */
static void
put_waiting(struct ordered *ordered)
{
	size_t i = ordered->first % ORDERED_MAX;

	while (ordered->first < ordered->next && ordered->slots[i].done) {
		put(ordered, ordered->slots[i].bytes, ordered->slots[i].len);
		ordered->held -= ordered->slots[i].len;
		free(ordered->slots[i].bytes);
		ordered->slots[i].bytes = NULL;
		i = ordered->first % ORDERED_MAX;
	}
}

int
ordered_end(
    struct ordered *ordered, uint64_t number, const void *bytes, size_t len)
{
	size_t i = number % ORDERED_MAX;
	char *copy = NULL;

	if (number == ordered->first) {
		put(ordered, bytes, len);
		put_waiting(ordered);
		return 0;
	}
	if (len > 0) {
		copy = malloc(len);
		if (copy == NULL)
			return -1;
		memcpy(copy, bytes, len);
	}
	ordered->slots[i].bytes = copy;
	ordered->slots[i].len = len;
	ordered->slots[i].done = true;
	ordered->held += len;
	return 0;
}
