/*
 * The memory of envelopes: what is small is one block, its head at the front
 * and its payload at the end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/blocks.h"
#include "wire/record.h"

#define INSIDE_MAX 2048

/* Whole envelopes, of small messages and of those up to 1 KiB or so. */
static struct blocks small_blocks = BLOCKS(512, 512);
static struct blocks large_blocks = BLOCKS(INSIDE_MAX, 128);

static size_t
aligned(size_t n)
{
	return (n + 15) & ~(size_t)15;
}

/* Room for a head of len bytes, and for payload if it fits a kept block: at the
 * block's end, so that the head can grow; aligned as malloc does. */
static struct hm_envelope *
allot(size_t len, size_t payload)
{
	size_t size = sizeof(struct hm_envelope) + len;
	struct hm_envelope *env;
	struct blocks *blocks = NULL;
	bool inside = payload <= INSIDE_MAX &&
		      size + aligned(payload) <= large_blocks.size;

	payload = inside ? aligned(payload) : 0;
	if (size + payload <= small_blocks.size)
		blocks = &small_blocks;
	else if (size + payload <= large_blocks.size)
		blocks = &large_blocks;
	env = blocks != NULL ? blocks_take(blocks) : malloc(size);
	if (env == NULL)
		return NULL;
	memset(env, 0, sizeof *env);
	env->blocks = blocks;
	env->head = env->bytes;
	env->head_len = env->head_room = len;
	if (blocks != NULL)
		env->head_room =
		    blocks->size - payload - sizeof(struct hm_envelope);
	if (payload > 0) {
		env->inside = true;
		env->payload = env->bytes + env->head_room;
	}
	return env;
}

struct hm_envelope *
hm_envelope_from_head(const unsigned char *head, size_t len)
{
	struct hm_envelope *env = allot(len, 0);

	if (env != NULL)
		memcpy(env->head, head, len);
	return env;
}

struct hm_envelope *
hm_envelope_with_room(const unsigned char *head, size_t len, size_t room)
{
	struct hm_envelope *env = allot(len, room);

	if (env == NULL)
		return NULL;
	memcpy(env->head, head, len);
	if (room == 0 || env->inside)
		return env;
	env->payload = malloc(room);
	if (env->payload != NULL)
		return env;
	hm_envelope_free(env);
	errno = ENOMEM;
	return NULL;
}

struct hm_envelope *
hm_envelope_take_over(struct hm_envelope *env)
{
	struct hm_envelope *copy = hm_envelope_with_room(
	    env->head, env->head_len, env->inside ? env->payload_len : 0);

	if (copy == NULL)
		return NULL;
	if (!env->inside) {
		copy->payload = env->payload;
		env->payload = NULL;
	} else if (env->payload_len > 0) {
		memcpy(copy->payload, env->payload, env->payload_len);
	}
	copy->payload_len = env->payload_len;
	env->payload_len = 0;
	return copy;
}

void
hm_envelope_give_back(struct hm_envelope *env, struct hm_envelope *copy)
{
	/* A payload inside was copied, and stands here still. */
	if (!env->inside) {
		env->payload = copy->payload;
		copy->payload = NULL;
	}
	env->payload_len = copy->payload_len;
	copy->payload_len = 0;
}

void
hm_envelope_free(struct hm_envelope *env)
{
	if (env == NULL)
		return;
	if (env->head != env->bytes)
		free(env->head);
	if (!env->inside)
		free(env->payload);
	if (env->blocks != NULL)
		blocks_give(env->blocks, env);
	else
		free(env);
}

void
hm_envelope_drop_payload(struct hm_envelope *env)
{
	if (!env->inside) {
		free(env->payload);
		env->payload = NULL;
	}
	env->payload_len = 0;
}
