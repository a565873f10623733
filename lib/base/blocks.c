/*
 * Kept blocks.
 *
 * Messages pass first in, first out, which musl's malloc answers by mapping and
 * unmapping a group of slots every few of them.  Where two threads meet, or one
 * forked while another was here, malloc does the work: nobody waits.
 */
#include <stdlib.h>

#include "base/blocks.h"

#define KEPT_PER_USED 16

struct block {
	struct block *next;
};

/* What watches memory has to see each block come and go. */
#if defined __SANITIZE_ADDRESS__
#define KEEPS 0
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define KEEPS 0
#endif
#endif
#ifndef KEEPS
#define KEEPS 1
#endif

static int
enter(struct blocks *blocks)
{
	return KEEPS && !atomic_flag_test_and_set_explicit(
			    &blocks->busy, memory_order_acquire);
}

static void
leave(struct blocks *blocks)
{
	atomic_flag_clear_explicit(&blocks->busy, memory_order_release);
}

void *
blocks_take(struct blocks *blocks)
{
	struct block *block = NULL;

	if (enter(blocks)) {
		block = blocks->first;
		if (block != NULL) {
			blocks->first = block->next;
			blocks->kept--;
		}
		blocks->used++;
		leave(blocks);
	}
	return block != NULL ? block : malloc(blocks->size);
}

/* A window of messages comes and goes as a whole, so that what is kept swings
 * by its size; behind the last of a burst a few remain. */
static void
shrink(struct blocks *blocks)
{
	struct block *block;

	while (blocks->kept > blocks->most &&
	       blocks->kept / KEPT_PER_USED > blocks->used) {
		block = blocks->first;
		blocks->first = block->next;
		blocks->kept--;
		free(block);
	}
}

void
blocks_give(struct blocks *blocks, void *memory)
{
	struct block *block = memory;

	if (block == NULL || !enter(blocks)) {
		free(block);
		return;
	}
	block->next = blocks->first;
	blocks->first = block;
	blocks->kept++;
	/* Not all that are given were counted, see above. */
	blocks->used -= blocks->used > 0;
	shrink(blocks);
	leave(blocks);
}
