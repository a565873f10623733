/*
 * Two links back to back, without sockets: messages of all sizes in both
 * directions, bytes handed over in chunks of every kind, little credit.  Every
 * message arrives once and in order, every one is settled once, and all credit
 * comes back.
 */
#include <string.h>

#include "ends.h"

#define MESSAGES 400

struct side {
	struct end end; /* first */
	struct hm_source origin;
	size_t sizes[MESSAGES + 1]; /* by origin number */
	unsigned settled[MESSAGES + 1];
	unsigned got;
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

/* The receiver: pieces of one message at a time come in order here. */
static int
on_data(struct link *link, const struct hm_record *rec, struct chunk *chunk,
    unsigned char *p, uint32_t cost, struct hm_error *err)
{
	struct side *side = (struct side *)link;
	size_t skip = HM_DATA_HEADER + rec->extra;
	size_t len = rec->len + HM_RECORD_HEADER - skip;
	uint64_t number = hm_get64(p + HM_RECORD_HEADER);

	(void)chunk;
	(void)err;
	if (rec->flags & HM_DATA_FIRST) {
		CHECK(side->have == 0);
		side->now = number;
		side->got++;
	}
	CHECK(number == side->now);
	check_bytes(p + skip, len, side->got, side->have);
	side->have += len;
	if (rec->flags & HM_DATA_LAST) {
		CHECK(side->have == side->peer->sizes[side->got]);
		side->have = 0;
		settle_delivered(link, number);
	}
	link_freed(link, cost);
	return 0;
}

static const struct link_ops ops = {
    on_data, ends_no_abort, ends_on_bye, ends_on_due, ends_on_unused, NULL};

static void
side_init(struct side *side, struct side *peer, struct hm_limits *limits,
    uint64_t memory)
{
	memset(side, 0, sizeof *side);
	side->peer = peer;
	side->expect = HM_DELIVERED;
	source_init(&side->origin, origin_settle);
	end_init(&side->end, &ops, limits, memory);
}

/* Parks message number n of side as pieces of at most piece bytes. */
static void
post(struct side *side, unsigned n, size_t size, size_t piece)
{
	struct outgoing m = {n, 0, size, 0, 0};

	side->sizes[n] = size;
	end_post(&side->end, &side->origin, &m, piece);
}

static void
run(size_t step, size_t piece, uint64_t memory, uint64_t window)
{
	static struct side a, b;
	struct hm_limits limits;
	unsigned i, seed = (unsigned)(step * 7 + piece);

	hm_limits_init(&limits);
	limits.link_window = window;
	side_init(&a, &b, &limits, memory);
	side_init(&b, &a, &limits, memory);
	end_join(&a.end, &b.end);
	for (i = 1; i <= MESSAGES; i++) {
		seed = seed * 1103515245u + 12345u;
		post(&a, i, seed / 65536 % (i % 20 == 0 ? 60000 : 300), piece);
		post(&b, i, seed / 4096 % 200, piece);
		if (i % 3 == 0) {
			(void)end_carry(&a.end, &b.end, step);
			(void)end_carry(&b.end, &a.end, step);
		}
	}
	end_drain(&a.end, &b.end, step);
	CHECK(a.got == MESSAGES && b.got == MESSAGES);
	for (i = 1; i <= MESSAGES; i++)
		CHECK(a.settled[i] == 1 && b.settled[i] == 1);
	CHECK(a.end.link.ledger.unsettled == 0 &&
	      b.end.link.ledger.unsettled == 0);
	CHECK(a.end.link.granted + a.end.link.owed == a.end.link.window);
	CHECK(a.end.pool.granted == a.end.link.window &&
	      a.end.link.window <= window);
	link_lost(&a.end.link, HM_UNKNOWN, "end", "");
	link_lost(&b.end.link, HM_UNKNOWN, "end", "");
	end_fini(&a.end);
	end_fini(&b.end);
	CHECK(a.origin.refs == 1 && b.origin.refs == 1);
}

/* A link lost after k bytes: every message is settled once, those not begun as
 * not sent. */
static void
lose(size_t bytes)
{
	static struct side a, b;
	struct hm_limits limits;
	unsigned i;

	hm_limits_init(&limits);
	side_init(&a, &b, &limits, 1 << 20);
	side_init(&b, &a, &limits, 1 << 20);
	end_join(&a.end, &b.end);
	for (i = 1; i <= MESSAGES; i++)
		post(&a, i, i % 10 == 0 ? 20000 : 100, 4000);
	while (bytes > 0) {
		size_t n = end_carry(&a.end, &b.end, bytes < 777 ? bytes : 777);

		(void)end_carry(&b.end, &a.end, ENDS_MOST);
		if (n == 0)
			break;
		bytes -= n;
	}
	a.expect = HM_UNKNOWN;
	link_lost(&a.end.link, HM_UNKNOWN, "broke", "");
	for (i = 1; i <= MESSAGES; i++)
		CHECK(a.settled[i] == 1);
	CHECK(a.end.link.ledger.unsettled == 0 && a.origin.refs == 1);
	link_lost(&b.end.link, HM_UNKNOWN, "broke", "");
	end_fini(&a.end);
	end_fini(&b.end);
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
	link_return_parked(&a.end.link, &a.end.link.park, 0, &how);
	CHECK(a.settled[1] == 1 && link_idle(&a.end.link));
	/* Its sender goes, and then it is returned. */
	post(&a, 2, 20000, 4000);
	link_abort(&a.end.link, &a.end.link.park, 2, &how);
	link_return_parked(&a.end.link, &a.end.link.park, 0, &how);
	CHECK(a.settled[2] == 1 && link_idle(&a.end.link));
	/* It is returned, and then there would be another piece. */
	for (i = 1; i <= 2; i++)
		link_abort(&a.end.link, &a.end.link.park, i, &how);
	CHECK(link_idle(&a.end.link));
	link_lost(&a.end.link, HM_UNKNOWN, "end", "");
	end_fini(&a.end);
}

static unsigned due_now, due_later;

static void
note_due(struct link *link, bool now)
{
	(void)link;
	if (now)
		due_now++;
	else
		due_later++;
}

/* When settlements go (the original's sparse acks, and its flush): with what is
 * written next, or in a moment; at once when the sender asks, or when there are
 * many. */
static void
test_cadence(void)
{
	static const struct link_ops noting = {on_data, ends_no_abort,
	    ends_on_bye, note_due, ends_on_unused, NULL};
	static const struct settlement lazy = {
	    HM_DELIVERED, {"", 0}, {"", 0}, true};
	static struct side a, b;
	struct hm_limits limits;
	unsigned i;

	hm_limits_init(&limits);
	side_init(&a, &b, &limits, 1 << 24);
	side_init(&b, &a, &limits, 1 << 24);
	b.end.link.ops = &noting;
	end_join(&a.end, &b.end);
	for (i = 1; i <= 9; i++)
		post(&a, i, 10, 16384);
	(void)end_carry(&a.end, &b.end, ENDS_MOST);
	CHECK(b.got == 9 && due_now == 0 && due_later == 9);
	CHECK(b.end.link.nranges == 1 && b.end.link.ranges[0].count == 9);
	post(&a, 10, 10, 16384);
	link_ask(&a.end.link);
	(void)end_carry(&a.end, &b.end, ENDS_MOST);
	CHECK(b.got == 10 && due_now == 1);
	(void)end_carry(&b.end, &a.end, ENDS_MOST);
	for (i = 1; i <= 10; i++)
		CHECK(a.settled[i] == 1);
	CHECK(b.end.link.nranges == 0);
	/* Many, as if they had come. */
	b.end.link.coming += 4096;
	due_now = 0;
	for (i = 11; i < 11 + 4095; i++)
		b.end.link.source.settle(&b.end.link.source, i, 1, &lazy);
	CHECK(due_now == 0);
	b.end.link.source.settle(&b.end.link.source, i, 1, &lazy);
	CHECK(due_now == 1);
	link_lost(&a.end.link, HM_UNKNOWN, "end", "");
	link_lost(&b.end.link, HM_UNKNOWN, "end", "");
	end_fini(&a.end);
	end_fini(&b.end);
}

int
main(void)
{
	static const size_t steps[] = {1, 2, 3, 7, 100, 4097, ENDS_MOST};
	size_t i;

	test_never_sent();
	test_cadence();
	for (i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		run(steps[i], 16384, 1 << 24, 1 << 20);
		run(steps[i], 5000, 1 << 24, 8192);
		run(steps[i], 16384, 4096, 1 << 20);
	}
	for (i = 0; i < 300000; i = i * 3 / 2 + 1)
		lose(i);
	return 0;
}
