/*
 * Queues of runs.
 *
 * Records from one read to one destination stand back to back in the chunk
 * they were read into, so a whole burst is one run and one element of writev.
 */
#include <string.h>

#include "base/blocks.h"
#include "link/queue.h"

/* writev is told of at most this much at once, so runs need not be longer. */
#define RUN_MAX (128u * 1024)

static struct blocks runs = BLOCKS(sizeof(struct run), 256);

struct run *
run_new(void)
{
	return blocks_take(&runs);
}

void
queue_put(struct queue *queue, struct run *run)
{
	run->next = NULL;
	if (queue->tail == NULL)
		queue->head = run;
	else
		queue->tail->next = run;
	queue->tail = run;
	queue->bytes += run->len - run->done;
}

int
queue_add(struct queue *queue, struct chunk *chunk, unsigned char *p,
    uint32_t len, uint32_t counted, struct hm_source *source, uint32_t owed,
    uint32_t cost)
{
	struct run *run = queue->tail;

	if (run != NULL && run->chunk == chunk && run->source == source &&
	    run->p + run->len == p && run->len < RUN_MAX - len) {
		run->len += len;
		run->records += counted;
		run->owed += owed;
		run->cost += cost;
		queue->bytes += len;
		return 0;
	}
	run = run_new();
	if (run == NULL)
		return -1;
	run->chunk = chunk;
	chunk_hold(chunk);
	run->p = p;
	run->source = source;
	if (source != NULL)
		source_hold(source);
	run->len = len;
	run->done = 0;
	run->records = counted;
	run->owed = owed;
	run->cost = cost;
	queue_put(queue, run);
	return 0;
}

struct run *
queue_take(struct queue *queue)
{
	struct run *run = queue->head;

	queue->head = run->next;
	if (queue->head == NULL)
		queue->tail = NULL;
	if (queue->calm == run)
		queue->calm = NULL;
	queue->bytes -= run->len - run->done;
	run->next = NULL;
	return run;
}

void
run_free(struct run *run)
{
	if (run->source != NULL) {
		if (run->owed > 0)
			run->source->credit(run->source, run->owed);
		source_drop(run->source);
	}
	chunk_drop(run->chunk);
	blocks_give(&runs, run);
}

void
queue_push(struct queue *queue, struct run *run)
{
	run->next = queue->head;
	queue->head = run;
	if (queue->tail == NULL)
		queue->tail = run;
	queue->bytes += run->len - run->done;
}

static void
copy_out(struct run *run)
{
	struct chunk *chunk = chunk_new(run->len);

	if (chunk == NULL)
		return;
	memcpy(chunk->bytes, run->p, run->len);
	chunk->used = run->len;
	chunk_drop(run->chunk);
	run->chunk = chunk;
	run->p = chunk->bytes;
}

void
queue_append(struct queue *queue, struct queue *more)
{
	if (more->head == NULL)
		return;
	if (queue->tail == NULL)
		queue->head = more->head;
	else
		queue->tail->next = more->head;
	queue->tail = more->tail;
	queue->bytes += more->bytes;
	more->head = more->tail = more->calm = NULL;
	more->bytes = 0;
}

int
queue_cut(struct queue *queue, uint32_t len, uint32_t records, uint32_t cost)
{
	struct run *run = queue->head, *first;

	first = run_new();
	if (first == NULL)
		return -1;
	*first = *run;
	first->len = len;
	first->records = records;
	first->cost = cost;
	first->owed = cost < run->owed ? cost : run->owed;
	first->next = run;
	chunk_hold(first->chunk);
	if (first->source != NULL)
		source_hold(first->source);
	run->p += len;
	run->len -= len;
	run->records -= records;
	run->owed -= first->owed;
	run->cost -= cost;
	run->done = 0;
	/* What stays behind must not pin what has left. */
	if (run->chunk->arena != NULL && run->len < CHUNK_SIZE / 2)
		copy_out(run);
	queue->head = first;
	return 0;
}

void
queue_calm(struct queue *queue)
{
	struct run *run = queue->calm == NULL ? queue->head : queue->calm->next;

	for (; run != NULL; run = run->next) {
		if (run->chunk->arena != NULL && run->len < CHUNK_SIZE / 2)
			copy_out(run);
		queue->calm = run;
	}
}
