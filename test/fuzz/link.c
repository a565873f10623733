/*
 * A link that is fed bytes, in chunks the input chooses: whatever comes, it
 * ends with an error or goes on, and gives all credit back at its end.
 */
#include <string.h>

#include "link/link.h"
#include "fuzz.h"

static int
on_data(struct link *link, const struct hm_record *rec, struct chunk *chunk,
    unsigned char *p, uint32_t cost, struct hm_error *err)
{
	static const struct settlement delivered = {
	    HM_DELIVERED, {"", 0}, {"", 0}, true};
	struct hm_head head;

	(void)chunk;
	if (rec->flags & HM_DATA_FIRST &&
	    hm_head_read(&head, p + HM_DATA_HEADER, rec->extra, err) == -1)
		return -1;
	if (rec->flags & HM_DATA_LAST)
		link->source.settle(&link->source,
		    hm_get64(p + HM_RECORD_HEADER), 1, &delivered);
	link_freed(link, cost);
	return 0;
}

static void
on_abort(struct link *link, uint64_t number)
{
	(void)link;
	(void)number;
}

static void
on_bye(struct link *link, struct hm_slice why)
{
	(void)link;
	(void)why;
}

static void
on_due(struct link *link, bool now)
{
	(void)link;
	(void)now;
}

static void
on_unused(struct link *link)
{
	(void)link;
}

static const struct link_ops ops = {
    on_data, on_abort, on_bye, on_due, on_unused, NULL};

static void
feed(struct link *link, const uint8_t *data, size_t size)
{
	struct hm_error err;
	struct iovec iov[8];
	struct chunk *chunk;
	size_t have = 0, step, at = 0;
	long used;

	chunk = chunk_new(size);
	CHECK(chunk != NULL);
	while (at < size) {
		step = 1u + data[at] % 97u;
		if (step > size - at)
			step = size - at;
		memcpy(chunk->bytes + have, data + at, step);
		have += step;
		at += step;
		used = link_input(link, chunk, chunk->bytes, have, &err);
		if (used == -1)
			break;
		CHECK((size_t)used <= have);
		memmove(chunk->bytes, chunk->bytes + used, have - (size_t)used);
		have -= (size_t)used;
		link_gather(link);
		link_pump(link);
		while (link_output(link, iov, 8) > 0)
			link_wrote(link, iov[0].iov_len);
	}
	chunk_drop(chunk);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct chunk_arena arena;
	struct credit_pool pool = {1 << 20, 0, 0};
	struct hm_limits limits;
	struct link link;

	if (size < 2)
		return 0;
	memset(&arena, 0, sizeof arena);
	hm_limits_init(&limits);
	link_init(&link, &ops, &limits, &arena, &pool);
	link.keep = (data[0] & 1) != 0;
	link.credit = data[1];
	feed(&link, data + 2, size - 2);
	link_lost(&link, HM_UNKNOWN, "end", "");
	link_fini(&link);
	CHECK(pool.granted == 0);
	chunk_arena_fini(&arena);
	return 0;
}
