/*
 * Two links back to back, without sockets: messages of all sizes in both
 * directions, bytes handed over in chunks of every kind, little credit.  Every
 * message arrives once and in order, every one is settled once, and all credit
 * comes back.
 */
#include <string.h>

#include "link/link.h"
#include "check.h"

#define MESSAGES 400

struct side {
	struct link link; /* first */
	struct chunk_arena arena;
	struct credit_pool pool;
	struct hm_source origin;
	unsigned char head[HM_HEAD_MAX];
	long head_len;
	size_t sizes[MESSAGES + 1]; /* by origin number */
	unsigned settled[MESSAGES + 1];
	unsigned got, next, next_piece;
	size_t have; /* bytes of the message that comes in */
	uint64_t now;
	struct side *peer;
	enum hm_outcome expect;
};

static struct side *
side_of_origin(struct hm_source *source)
{
	return (struct side *)(void *)((char *)source -
				       offsetof(struct side, origin));
}

static void
origin_settle(struct hm_source *source, uint64_t first, uint32_t n,
    const struct settlement *how)
{
	struct side *side = side_of_origin(source);

	for (; n > 0; n--, first++) {
		CHECK(first >= 1 && first <= MESSAGES);
		CHECK(side->settled[first]++ == 0);
		if (side->expect != HM_UNKNOWN)
			CHECK(how->outcome == side->expect);
		else
			CHECK(how->outcome != HM_REFUSED);
	}
}

static void
origin_credit(struct hm_source *source, uint64_t cost)
{
	(void)source;
	(void)cost;
}

static void
origin_unused(struct hm_source *source)
{
	(void)source;
}

/* The receiver: pieces of one message at a time come in order here. */
static int
on_data(struct link *link, const struct hm_record *rec, struct chunk *chunk,
    unsigned char *p, uint32_t cost, struct hm_error *err)
{
	struct side *side = (struct side *)link;
	size_t skip = HM_DATA_HEADER + rec->extra, i;
	size_t len = rec->len + HM_RECORD_HEADER - skip;
	uint64_t number = hm_get64(p + HM_RECORD_HEADER);
	static const struct settlement delivered = {
	    HM_DELIVERED, {"", 0}, {"", 0}, true};

	(void)chunk;
	(void)err;
	if (rec->flags & HM_DATA_FIRST) {
		CHECK(side->have == 0);
		side->now = number;
		side->got++;
	}
	CHECK(number == side->now);
	for (i = 0; i < len; i++)
		CHECK(p[skip + i] ==
		      (unsigned char)(side->got * 31 + side->have + i));
	side->have += len;
	if (rec->flags & HM_DATA_LAST) {
		CHECK(side->have == side->peer->sizes[side->got]);
		side->have = 0;
		link->source.settle(&link->source, number, 1, &delivered);
	}
	link_freed(link, cost);
	return 0;
}

static void
on_abort(struct link *link, uint64_t number)
{
	(void)link;
	CHECK(number == 0); /* nothing is aborted here */
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
side_init(struct side *side, struct side *peer, struct hm_limits *limits,
    uint64_t memory)
{
	struct hm_id id;
	struct hm_head_source src;

	memset(side, 0, sizeof *side);
	side->peer = peer;
	side->pool.limit = memory;
	side->origin.settle = origin_settle;
	side->origin.credit = origin_credit;
	side->origin.unused = origin_unused;
	side->origin.refs = 1;
	side->next = 1;
	side->expect = HM_DELIVERED;
	link_init(&side->link, &ops, limits, &side->arena, &side->pool);
	hm_id_set(&id, "unix:/tmp/x", "w1", "main", 0, 0);
	memset(&src, 0, sizeof src);
	src.dest = src.sender = &id;
	src.type = "text/plain";
	src.ttl = 64;
	side->head_len = hm_head_write(side->head, &src);
	CHECK(side->head_len > 0);
}

/* Parks message number n of side as pieces of at most piece bytes. */
static void
post(struct side *side, unsigned n, size_t size, size_t piece)
{
	struct hm_record rec = {0, HM_REC_DATA, 0, 0};
	size_t at = 0, len, head, i;
	uint64_t number;
	struct chunk *chunk;
	unsigned char *p;

	side->sizes[n] = size;
	number = link_begin(&side->link, &side->origin, n, size <= piece);
	CHECK(number != 0);
	do {
		len = size - at < piece ? size - at : piece;
		head = at == 0 ? (size_t)side->head_len : 0;
		chunk = chunk_new(HM_DATA_HEADER + head + len);
		CHECK(chunk != NULL);
		p = chunk->bytes;
		rec.len = (uint32_t)(8 + head + len);
		rec.extra = (uint16_t)head;
		rec.flags = (uint8_t)((at == 0 ? HM_DATA_FIRST : 0) |
				      (at + len == size ? HM_DATA_LAST : 0));
		hm_record_header(p, &rec);
		memcpy(p + HM_DATA_HEADER, side->head, head);
		if (head > 0)
			hm_put64(p + HM_DATA_HEADER, size);
		for (i = 0; i < len; i++)
			p[HM_DATA_HEADER + head + i] =
			    (unsigned char)(n * 31 + at + i);
		CHECK(link_park(&side->link, &side->link.park, number, chunk, p,
			  (uint32_t)(HM_DATA_HEADER + head + len),
			  &side->origin, 0, at + len == size) == 0);
		chunk_drop(chunk);
		at += len;
	} while (at < size);
}

/* Carries bytes from one side to the other, step at a time (0: all). */
static size_t
carry(struct side *from, struct side *to, size_t step, unsigned char *rest,
    size_t *nrest)
{
	struct iovec iov[64];
	struct chunk *chunk;
	struct hm_error err;
	size_t total = 0, len, i;
	long used;
	int n;

	link_gather(&from->link);
	link_pump(&from->link);
	n = link_output(&from->link, iov, 64);
	for (i = 0; i < (size_t)n; i++)
		total += iov[i].iov_len;
	if (total == 0)
		return 0;
	len = step == 0 || total < step ? total : step;
	chunk = chunk_new(*nrest + len);
	CHECK(chunk != NULL);
	memcpy(chunk->bytes, rest, *nrest);
	for (i = 0, total = 0; total < len; i++) {
		size_t part =
		    iov[i].iov_len < len - total ? iov[i].iov_len : len - total;

		memcpy(chunk->bytes + *nrest + total, iov[i].iov_base, part);
		total += part;
	}
	link_wrote(&from->link, len);
	used = link_input(&to->link, chunk, chunk->bytes, *nrest + len, &err);
	if (used == -1)
		fprintf(stderr, "%s\n", err.text);
	CHECK(used >= 0);
	*nrest = *nrest + len - (size_t)used;
	CHECK(*nrest <= HM_RECORD_MAX);
	memcpy(rest, chunk->bytes + used, *nrest);
	chunk_drop(chunk);
	return len;
}

static void
run(size_t step, size_t piece, uint64_t memory, uint64_t window)
{
	static struct side a, b;
	static unsigned char to_b[HM_RECORD_MAX], to_a[HM_RECORD_MAX];
	size_t nto_b = 0, nto_a = 0, moved;
	struct hm_limits limits;
	unsigned i, seed = (unsigned)(step * 7 + piece);

	hm_limits_init(&limits);
	limits.link_window = window;
	side_init(&a, &b, &limits, memory);
	side_init(&b, &a, &limits, memory);
	a.link.credit = b.link.granted;
	b.link.credit = a.link.granted;
	for (i = 1; i <= MESSAGES; i++) {
		seed = seed * 1103515245u + 12345u;
		post(&a, i, seed / 65536 % (i % 20 == 0 ? 60000 : 300), piece);
		post(&b, i, seed / 4096 % 200, piece);
		if (i % 3 == 0) {
			(void)carry(&a, &b, step, to_b, &nto_b);
			(void)carry(&b, &a, step, to_a, &nto_a);
		}
	}
	do {
		moved = carry(&a, &b, step, to_b, &nto_b);
		moved += carry(&b, &a, step, to_a, &nto_a);
	} while (moved > 0);
	CHECK(a.got == MESSAGES && b.got == MESSAGES);
	for (i = 1; i <= MESSAGES; i++)
		CHECK(a.settled[i] == 1 && b.settled[i] == 1);
	CHECK(a.link.ledger.unsettled == 0 && b.link.ledger.unsettled == 0);
	CHECK(a.link.granted + a.link.owed == a.link.window);
	CHECK(a.pool.granted == a.link.window && a.link.window <= window);
	link_lost(&a.link, HM_UNKNOWN, "end", "");
	link_lost(&b.link, HM_UNKNOWN, "end", "");
	link_fini(&a.link);
	link_fini(&b.link);
	CHECK(a.pool.granted == 0 && b.pool.granted == 0);
	CHECK(a.origin.refs == 1 && b.origin.refs == 1);
	chunk_arena_fini(&a.arena);
	chunk_arena_fini(&b.arena);
}

/* A link lost after k bytes: every message is settled once, those not begun as
 * not sent. */
static void
lose(size_t bytes)
{
	static struct side a, b;
	static unsigned char to_b[HM_RECORD_MAX], to_a[HM_RECORD_MAX];
	size_t nto_b = 0, nto_a = 0;
	struct hm_limits limits;
	unsigned i;

	hm_limits_init(&limits);
	side_init(&a, &b, &limits, 1 << 20);
	side_init(&b, &a, &limits, 1 << 20);
	a.link.credit = b.link.granted;
	b.link.credit = a.link.granted;
	for (i = 1; i <= MESSAGES; i++)
		post(&a, i, i % 10 == 0 ? 20000 : 100, 4000);
	while (bytes > 0) {
		size_t n =
		    carry(&a, &b, bytes < 777 ? bytes : 777, to_b, &nto_b);

		(void)carry(&b, &a, 0, to_a, &nto_a);
		if (n == 0)
			break;
		bytes -= n;
	}
	a.expect = HM_UNKNOWN;
	link_lost(&a.link, HM_UNKNOWN, "broke", "");
	for (i = 1; i <= MESSAGES; i++)
		CHECK(a.settled[i] == 1);
	CHECK(a.link.ledger.unsettled == 0 && a.origin.refs == 1);
	link_lost(&b.link, HM_UNKNOWN, "broke", "");
	link_fini(&a.link);
	link_fini(&b.link);
	CHECK(a.pool.granted == 0 && b.pool.granted == 0);
	chunk_arena_fini(&a.arena);
	chunk_arena_fini(&b.arena);
}

/* Of a message that was returned before any of it was sent nothing is left to
 * be told: a link that nothing waits for is not dialed. */
static void
test_never_sent(void)
{
	static const struct settlement how = {
	    HM_TIMED_OUT, {"late", 4}, {"", 0}, false};
	static struct side a, b;
	struct hm_limits limits;
	unsigned i;

	hm_limits_init(&limits);
	side_init(&a, &b, &limits, 1 << 20);
	a.expect = HM_UNKNOWN;
	post(&a, 1, 20000, 4000);
	link_return_parked(&a.link, &a.link.park, 0, &how);
	CHECK(a.settled[1] == 1 && link_idle(&a.link));
	/* Its sender goes, and then it is returned. */
	post(&a, 2, 20000, 4000);
	link_abort(&a.link, &a.link.park, 2, &how);
	link_return_parked(&a.link, &a.link.park, 0, &how);
	CHECK(a.settled[2] == 1 && link_idle(&a.link));
	/* It is returned, and then there would be another piece. */
	for (i = 1; i <= 2; i++)
		link_abort(&a.link, &a.link.park, i, &how);
	CHECK(link_idle(&a.link));
	link_lost(&a.link, HM_UNKNOWN, "end", "");
	link_fini(&a.link);
	chunk_arena_fini(&a.arena);
}

int
main(void)
{
	static const size_t steps[] = {1, 2, 3, 7, 100, 4097, 0};
	size_t i;

	test_never_sent();
	for (i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		run(steps[i], 16384, 1 << 24, 1 << 20);
		run(steps[i], 5000, 1 << 24, 8192);
		run(steps[i], 16384, 4096, 1 << 20);
	}
	for (i = 0; i < 300000; i = i * 3 / 2 + 1)
		lose(i);
	return 0;
}
