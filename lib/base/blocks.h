/*
 * Blocks of one size that come and go with every message: those given back are
 * kept for the next, some always, and as many as a few times those in use.  Any
 * thread may take and give.
 */
#ifndef HM_BLOCKS_H
#define HM_BLOCKS_H

#include <stdatomic.h>
#include <stddef.h>

struct block;

struct blocks {
	size_t size; /* of each; a pointer at least */
	size_t most; /* kept when none is in use */
	size_t kept, used;
	struct block *first;
	atomic_flag busy;
};

#define BLOCKS(size, most)                                   \
	{                                                    \
		(size), (most), 0, 0, NULL, ATOMIC_FLAG_INIT \
	}

void *blocks_take(struct blocks *blocks); /* NULL: ENOMEM */
void blocks_give(struct blocks *blocks, void *block);

#endif
