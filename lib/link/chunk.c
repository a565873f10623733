/*
 * Chunks and the arena they come from.
 *
 * An arena lives as long as its router, and longer than every chunk of it: they
 * are referred to by links only, which are gone by then.  A chunk whose only
 * user is its arena is used again from its start, so a node that passes
 * everything on within the turn works in one block of memory that stays in the
 * cache.
 */
#include <errno.h>
#include <stdlib.h>

#include "link/chunk.h"

struct chunk *
chunk_new(size_t size)
{
	struct chunk *chunk = malloc(sizeof *chunk + size);

	if (chunk == NULL)
		return NULL;
	chunk->refs = 1;
	chunk->used = 0;
	chunk->size = size;
	chunk->arena = NULL;
	chunk->next = NULL;
	return chunk;
}

void
chunk_hold(struct chunk *chunk)
{
	chunk->refs++;
}

void
chunk_drop(struct chunk *chunk)
{
	struct chunk_arena *arena;

	if (chunk == NULL || --chunk->refs > 0)
		return;
	arena = chunk->arena;
	if (arena == NULL || arena->spares >= CHUNK_SPARE) {
		free(chunk);
		return;
	}
	chunk->next = arena->spare;
	arena->spare = chunk;
	arena->spares++;
}

static struct chunk *
take_spare(struct chunk_arena *arena)
{
	struct chunk *chunk = arena->spare;

	if (chunk == NULL) {
		chunk = chunk_new(CHUNK_SIZE);
		if (chunk != NULL)
			chunk->arena = arena;
		return chunk;
	}
	arena->spare = chunk->next;
	arena->spares--;
	chunk->refs = 1;
	chunk->used = 0;
	return chunk;
}

struct chunk *
chunk_current(struct chunk_arena *arena, size_t room)
{
	struct chunk *chunk = arena->current;

	if (chunk != NULL && chunk->refs == 1)
		chunk->used = 0;
	if (chunk != NULL && chunk->size - chunk->used >= room)
		return chunk;
	chunk = take_spare(arena);
	if (chunk == NULL)
		return NULL;
	chunk_drop(arena->current);
	arena->current = chunk;
	return chunk;
}

void
chunk_arena_fini(struct chunk_arena *arena)
{
	struct chunk *chunk;

	chunk_drop(arena->current);
	arena->current = NULL;
	while ((chunk = arena->spare) != NULL) {
		arena->spare = chunk->next;
		free(chunk);
	}
	arena->spares = 0;
}
