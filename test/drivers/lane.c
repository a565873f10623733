/*
 * Holds: messages to four destinations over one link, of one piece and of
 * many, while the receiver holds and resumes destinations as it likes.  What is
 * held does not come once what was written has, everything else does; each
 * destination's messages come in order, whole, and are settled once.
 */
#include <stdio.h>
#include <string.h>

#include "link/link.h"
#include "check.h"

#define MESSAGES 600
#define DESTS 4
#define PIECE 1000u

static struct {
	struct link link; /* first */
	struct chunk_arena arena;
	struct credit_pool pool;
} sender, receiver;
static struct hm_source origin;
static unsigned char heads[DESTS][HM_HEAD_MAX];
static size_t head_len[DESTS];
static struct hm_slice dests[DESTS];
static bool held[DESTS];
static unsigned settled[MESSAGES + 1];
static unsigned resumed;
/* Of each destination: the last message that came, and how much is to come. */
static struct {
	unsigned last;
	size_t missing;
	uint64_t number;
} at[DESTS];
static unsigned got;

static void
on_settle(struct hm_source *source, uint64_t first, uint32_t n,
    const struct settlement *how)
{
	(void)source;
	CHECK(how->outcome == HM_DELIVERED);
	for (; n > 0; n--, first++)
		CHECK(first >= 1 && first <= MESSAGES && settled[first]++ == 0);
}

static void
on_credit(struct hm_source *source, uint64_t cost)
{
	(void)source;
	(void)cost;
}

static void
on_unused(struct hm_source *source)
{
	(void)source;
}

/* The payload of message n for d: its number, and then what follows from it. */
static unsigned char
byte_of(unsigned n, size_t i)
{
	return (unsigned char)(n * 31 + i);
}

static unsigned
dest_of(const struct hm_head *head)
{
	unsigned d = 0;

	while (d < DESTS &&
	       (head->dest_proc.n != dests[d].n ||
		   memcmp(head->dest_proc.p, dests[d].p, dests[d].n) != 0))
		d++;
	CHECK(d < DESTS);
	return d;
}

static unsigned
begin(const unsigned char *p, const struct hm_record *rec)
{
	struct hm_head head;
	struct hm_error err;
	unsigned d, n;

	CHECK(hm_head_read(&head, p + HM_DATA_HEADER, rec->extra, &err) == 0);
	d = dest_of(&head);
	CHECK(at[d].missing == 0);
	n = hm_get32(p + HM_DATA_HEADER + rec->extra);
	CHECK(n > at[d].last && n % DESTS == d);
	at[d].last = n;
	at[d].missing = head.payload_len;
	at[d].number = hm_get64(p + HM_RECORD_HEADER);
	return d;
}

static int
on_data(struct link *link, const struct hm_record *rec, struct chunk *chunk,
    unsigned char *p, uint32_t cost, struct hm_error *err)
{
	static const struct settlement delivered = {
	    HM_DELIVERED, {"", 0}, {"", 0}, true};
	uint64_t number = hm_get64(p + HM_RECORD_HEADER);
	size_t len = rec->len - 8 - rec->extra;
	unsigned d = 0;

	(void)chunk;
	(void)err;
	if (rec->flags & HM_DATA_FIRST) {
		d = begin(p, rec);
	} else {
		while (d < DESTS && at[d].number != number)
			d++;
		CHECK(d < DESTS);
	}
	CHECK(len <= at[d].missing);
	at[d].missing -= len;
	if (len > 0 && at[d].missing == 0)
		CHECK(p[rec->len + HM_RECORD_HEADER - 1] ==
		      byte_of(at[d].last, 0));
	CHECK(((rec->flags & HM_DATA_LAST) != 0) == (at[d].missing == 0));
	if (at[d].missing == 0) {
		got++;
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
on_link_unused(struct link *link)
{
	(void)link;
}

static void
on_resumed(struct link *link)
{
	CHECK(link == &sender.link);
	resumed++;
}

static const struct link_ops ops = {
    on_data, on_abort, on_bye, on_due, on_link_unused, on_resumed};

static void
make_heads(void)
{
	struct hm_head_source src;
	struct hm_head head;
	struct hm_id id;
	char name[8];
	unsigned d;
	long len;

	memset(&src, 0, sizeof src);
	src.dest = src.sender = &id;
	src.type = "text/plain";
	src.ttl = 64;
	for (d = 0; d < DESTS; d++) {
		(void)snprintf(name, sizeof name, "w%u", d);
		hm_id_set(&id, "unix:/tmp/x", name, "main", 0, 0);
		len = hm_head_write(heads[d], &src);
		CHECK(len > 0);
		head_len[d] = (size_t)len;
		hm_head_parse(&head, heads[d], head_len[d]);
		dests[d] = head.dest_proc;
	}
}

/* Message n, of size bytes, in pieces. */
static void
post(unsigned n, size_t size)
{
	unsigned d = n % DESTS;
	struct hm_record rec = {0, HM_REC_DATA, 0, 0};
	size_t sent = 0, len, head;
	uint64_t number = link_begin(&sender.link, &origin, n, size <= PIECE);
	struct chunk *chunk;
	unsigned char *p;

	CHECK(number != 0);
	while (sent < size) {
		len = size - sent < PIECE ? size - sent : PIECE;
		head = sent == 0 ? head_len[d] : 0;
		chunk = chunk_new(HM_DATA_HEADER + head + len);
		CHECK(chunk != NULL);
		p = chunk->bytes;
		rec.len = (uint32_t)(8 + head + len);
		rec.extra = (uint16_t)head;
		rec.flags = (uint8_t)((sent == 0 ? HM_DATA_FIRST : 0) |
				      (sent + len == size ? HM_DATA_LAST : 0));
		hm_record_header(p, &rec);
		memcpy(p + HM_DATA_HEADER, heads[d], head);
		memset(p + HM_DATA_HEADER + head, byte_of(n, 0), len);
		if (head > 0) {
			hm_put64(p + HM_DATA_HEADER, size);
			hm_put32(p + HM_DATA_HEADER + head, n);
		}
		if (len == 4 && head > 0)
			p[HM_DATA_HEADER + head + 3] = (unsigned char)n;
		CHECK(link_park(&sender.link,
			  link_queue(&sender.link, dests[d]), number, chunk, p,
			  (uint32_t)(HM_DATA_HEADER + head + len), &origin, 0,
			  sent + len == size) == 0);
		chunk_drop(chunk);
		sent += len;
	}
}

/* Carries what the one has to say, at most most bytes; how much. */
static size_t
carry(struct link *from, struct link *to, unsigned char *rest, size_t *nrest,
    size_t most)
{
	struct iovec iov[64];
	struct chunk *chunk;
	struct hm_error err;
	size_t total = 0, part;
	int i, n;
	long used;

	link_gather(from);
	link_pump(from);
	n = link_output(from, iov, 64);
	chunk = chunk_new(*nrest + most);
	CHECK(chunk != NULL);
	memcpy(chunk->bytes, rest, *nrest);
	for (i = 0; i < n && total < most; i++) {
		part = iov[i].iov_len;
		if (part > most - total)
			part = most - total;
		memcpy(chunk->bytes + *nrest + total, iov[i].iov_base, part);
		total += part;
	}
	link_wrote(from, total);
	used = link_input(to, chunk, chunk->bytes, *nrest + total, &err);
	if (used == -1)
		fprintf(stderr, "%s\n", err.text);
	CHECK(used >= 0);
	*nrest = *nrest + total - (size_t)used;
	CHECK(*nrest <= HM_RECORD_MAX);
	memcpy(rest, chunk->bytes + used, *nrest);
	chunk_drop(chunk);
	return total;
}

static void
toggle(unsigned d)
{
	held[d] = !held[d];
	CHECK(link_say_hold(&receiver.link, held[d], dests[d]) == 0);
}

static void
drain(unsigned char *there, size_t *nthere, unsigned char *back, size_t *nback)
{
	size_t moved;

	do {
		moved =
		    carry(&sender.link, &receiver.link, there, nthere, 70000);
		moved +=
		    carry(&receiver.link, &sender.link, back, nback, 70000);
	} while (moved > 0);
}

static void
run(unsigned seed, size_t step)
{
	static unsigned char there[HM_RECORD_MAX], back[HM_RECORD_MAX];
	size_t nthere = 0, nback = 0;
	struct hm_limits limits;
	unsigned n, d, stuck = 0;

	hm_limits_init(&limits);
	limits.link_window = 16384;
	memset(&sender, 0, sizeof sender);
	memset(&receiver, 0, sizeof receiver);
	memset(settled, 0, sizeof settled);
	memset(at, 0, sizeof at);
	memset(held, 0, sizeof held);
	got = resumed = 0;
	sender.pool.limit = receiver.pool.limit = 1 << 20;
	link_init(&sender.link, &ops, &limits, &sender.arena, &sender.pool);
	link_init(
	    &receiver.link, &ops, &limits, &receiver.arena, &receiver.pool);
	sender.link.credit = receiver.link.granted;
	receiver.link.credit = sender.link.granted;
	for (n = 1; n <= MESSAGES; n++) {
		seed = seed * 1103515245u + 12345u;
		post(n, 5 + seed / 65536 % (n % 7 == 0 ? 9000 : 200));
		if (seed / 256 % 5 == 0)
			toggle(seed / 4096 % DESTS);
		(void)carry(&sender.link, &receiver.link, there, &nthere, step);
		(void)carry(&receiver.link, &sender.link, back, &nback, step);
	}
	drain(there, &nthere, back, &nback);
	/* All that is not held has come, and what is held has not. */
	for (d = 0; d < DESTS; d++) {
		CHECK(held[d] == (link_held(&sender.link, dests[d]) != NULL));
		if (held[d])
			stuck++;
		else
			CHECK(at[d].missing == 0 &&
			      at[d].last + DESTS > MESSAGES);
	}
	CHECK(stuck == sender.link.nlanes);
	CHECK((got == MESSAGES) == (link_lanes_bytes(&sender.link) == 0));
	for (d = 0; d < DESTS; d++) {
		if (held[d])
			toggle(d);
	}
	drain(there, &nthere, back, &nback);
	CHECK(got == MESSAGES && resumed > 0 && sender.link.lanes == NULL);
	for (n = 1; n <= MESSAGES; n++)
		CHECK(settled[n] == 1);
	CHECK(sender.link.ledger.unsettled == 0);
	link_lost(&sender.link, HM_UNKNOWN, "end", "");
	link_lost(&receiver.link, HM_UNKNOWN, "end", "");
	link_fini(&sender.link);
	link_fini(&receiver.link);
	CHECK(sender.pool.granted == 0 && receiver.pool.granted == 0);
	CHECK(origin.refs == 1);
	chunk_arena_fini(&sender.arena);
	chunk_arena_fini(&receiver.arena);
}

/* A link that is lost settles what its lanes hold, too. */
static void
lose(void)
{
	struct hm_limits limits;
	unsigned n;

	hm_limits_init(&limits);
	memset(&sender, 0, sizeof sender);
	memset(settled, 0, sizeof settled);
	sender.pool.limit = 1 << 20;
	link_init(&sender.link, &ops, &limits, &sender.arena, &sender.pool);
	for (n = 1; n <= 40; n++)
		post(n, 300);
	CHECK(link_take_hold(&sender.link, dests[1]) == 0);
	CHECK(link_take_hold(&sender.link, dests[1]) == 0); /* once more */
	CHECK(sender.link.nlanes == 1);
	link_take_resume(&sender.link, dests[2]); /* never held */
	for (; n <= 80; n++)
		post(n, 300);
	origin.settle = on_settle;
	link_return_parked(&sender.link, &sender.link.park, 0,
	    &(const struct settlement){HM_DELIVERED, {"", 0}, {"", 0}, false});
	for (n = 1; n <= 80; n++)
		CHECK(settled[n] == (n % DESTS != 1));
	link_return_parked(&sender.link, &sender.link.lanes->park, 0,
	    &(const struct settlement){HM_DELIVERED, {"", 0}, {"", 0}, false});
	for (n = 1; n <= 80; n++)
		CHECK(settled[n] == 1);
	link_lost(&sender.link, HM_UNKNOWN, "end", "");
	link_fini(&sender.link);
	CHECK(sender.pool.granted == 0 && origin.refs == 1);
	chunk_arena_fini(&sender.arena);
}

int
main(void)
{
	unsigned seed;

	origin.settle = on_settle;
	origin.credit = on_credit;
	origin.unused = on_unused;
	origin.refs = 1;
	make_heads();
	for (seed = 1; seed <= 40; seed++) {
		run(seed, 300);
		run(seed, 5000);
		run(seed, 70000);
	}
	lose();
	return 0;
}
