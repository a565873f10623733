/*
 * See past.h.
 */
#include <stdlib.h>

#include "host/past.h"

static uint64_t
hash(const char *name)
{
	uint64_t h = 14695981039346656037u;

	while (*name != '\0')
		h = (h ^ (unsigned char)*name++) * 1099511628211u;
	return h | 1;
}

void
past_add(struct past *past, const char *name)
{
	if (past->hashes == NULL)
		past->hashes = malloc(PAST_MAX * sizeof *past->hashes);
	if (past->hashes == NULL) {
		past->older++;
		return;
	}
	if (past->next - past->first == PAST_MAX)
		past->older += past->hashes[past->first++ % PAST_MAX] != 0;
	past->hashes[past->next++ % PAST_MAX] = hash(name);
}

void
past_withdraw(struct past *past, const char *name)
{
	uint64_t h = hash(name), i;

	for (i = past->first; i < past->next; i++) {
		if (past->hashes[i % PAST_MAX] == h)
			past->hashes[i % PAST_MAX] = 0;
	}
}

uint64_t
past_count(const struct past *past)
{
	uint64_t n = past->older, i;

	for (i = past->first; i < past->next; i++)
		n += past->hashes[i % PAST_MAX] != 0;
	return n;
}

void
past_clear(struct past *past, uint64_t upto)
{
	past->older = 0;
	if (past->first < upto)
		past->first = upto;
}

void
past_fini(struct past *past)
{
	free(past->hashes);
	past->hashes = NULL;
}
