/*
 * A queue of records waiting to be written: runs of whole records that stand
 * one behind the other in one chunk and came from one source.
 */
#ifndef HM_QUEUE_H
#define HM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/chunk.h"
#include "link/ledger.h"

struct run {
	struct run *next;
	struct chunk *chunk;	  /* holds a reference */
	unsigned char *p;	  /* at a record's header */
	struct hm_source *source; /* gets owed back; holds a reference; NULL:
				     this node's own records */
	uint32_t len, done;	  /* bytes; of these written */
	uint32_t records;
	uint32_t owed; /* credit the source gets back when it has left */
	uint32_t cost; /* credit of the peer it takes */
};

struct queue {
	struct run *head, *tail;
	struct run *calm; /* the last run that queue_calm has seen */
	uint64_t bytes;
};

/* Adds one record of len bytes at p: joined to the last run if it follows it.
 * counted 0 for a record that takes no number (RECEIVED).  0 or -1 ENOMEM. */
int queue_add(struct queue *queue, struct chunk *chunk, unsigned char *p,
    uint32_t len, uint32_t counted, struct hm_source *source, uint32_t owed,
    uint32_t cost);
/* Takes the first run out (the queue is not empty); the caller's. */
struct run *queue_take(struct queue *queue);
void queue_put(struct queue *queue, struct run *run);
/* Not filled in; NULL: ENOMEM. */
struct run *run_new(void);
/* Gives owed back to the source and frees run. */
void run_free(struct run *run);
/*
 * Cuts the first run after its first len bytes (whole records), which become a
 * run of their own in front, with cost of its credit.  0 or -1 ENOMEM.
 */
int queue_cut(
    struct queue *queue, uint32_t len, uint32_t records, uint32_t cost);
/* All of more comes behind queue. */
void queue_append(struct queue *queue, struct queue *more);
/* Puts run in front. */
void queue_push(struct queue *queue, struct run *run);
/* A piece that outlives its turn does not keep a large chunk alive: runs that
 * use less than half of an arena's chunk are copied out.  Where there is
 * no memory for that they stay. */
void queue_calm(struct queue *queue);

#endif
