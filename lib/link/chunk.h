/*
 * Chunks: counted blocks of bytes.  What one turn reads goes into the arena's
 * current chunk, back to back; queued records point into it and hold it.  A
 * chunk is free when nothing points into it any more.
 */
#ifndef HM_CHUNK_H
#define HM_CHUNK_H

#include <stddef.h>

/* One read of a busy Unix link brings 64 KiB or more; four of them fit. */
#define CHUNK_SIZE ((size_t)256 * 1024)
#define CHUNK_SPARE 2 /* free ones kept by an arena */

struct chunk_arena;

struct chunk {
	unsigned refs;
	size_t used, size;
	struct chunk_arena *arena; /* NULL: of an odd size */
	struct chunk *next;	   /* in the arena's spares */
	unsigned char bytes[];
};

struct chunk_arena {
	struct chunk *current; /* holds one reference, or NULL */
	struct chunk *spare;
	unsigned spares;
};

/* One of its own of at least size bytes, one reference; NULL: ENOMEM. */
struct chunk *chunk_new(size_t size);
void chunk_hold(struct chunk *chunk);
void chunk_drop(struct chunk *chunk); /* NULL is harmless */

/* The current chunk with at least room bytes (<= CHUNK_SIZE) behind used; the
 * arena keeps its reference.  NULL: ENOMEM. */
struct chunk *chunk_current(struct chunk_arena *arena, size_t room);
/* Frees all; nothing refers to its chunks any more. */
void chunk_arena_fini(struct chunk_arena *arena);

#endif
