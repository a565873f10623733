/*
 * Holds: messages to four destinations over one link, of one piece and of
 * many, while the receiver holds and resumes destinations as it likes.  What is
 * held does not come once what was written has, everything else does; each
 * destination's messages come in order, whole, and are settled once.
 */
#include <string.h>

#include "ends.h"

#define MESSAGES 600
#define DESTS ENDS_DESTS
#define PIECE 1000u

static struct end sender, receiver;
static struct hm_source origin;
static bool held[DESTS];
static unsigned settled[MESSAGES + 1];
static unsigned resumed;
/* Of each destination: the last message that came, and how much is to come. */
static struct {
	unsigned last;
	size_t size, missing;
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

static unsigned
dest_of(const struct hm_head *head)
{
	struct hm_slice dest;
	unsigned d;

	for (d = 0; d < DESTS; d++) {
		dest = dest_slice(d);
		if (head->dest_proc.n == dest.n &&
		    memcmp(head->dest_proc.p, dest.p, dest.n) == 0)
			break;
	}
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
	n = (unsigned)head.dest.port;
	CHECK(n > at[d].last && n % DESTS == d);
	at[d].last = n;
	at[d].size = at[d].missing = head.payload_len;
	at[d].number = hm_get64(p + HM_RECORD_HEADER);
	return d;
}

static int
on_data(struct link *link, const struct hm_record *rec, struct chunk *chunk,
    unsigned char *p, uint32_t cost, struct hm_error *err)
{
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
	check_bytes(p + HM_DATA_HEADER + rec->extra, len, at[d].last,
	    at[d].size - at[d].missing);
	at[d].missing -= len;
	CHECK(((rec->flags & HM_DATA_LAST) != 0) == (at[d].missing == 0));
	if (at[d].missing == 0) {
		got++;
		settle_delivered(link, number);
	}
	link_freed(link, cost);
	return 0;
}

static void
on_resumed(struct link *link)
{
	CHECK(link == &sender.link);
	resumed++;
}

static const struct link_ops ops = {on_data, ends_no_abort, ends_on_bye,
    ends_on_due, ends_on_unused, on_resumed};

/* Message n, of size bytes, in pieces. */
static void
post(unsigned n, size_t size)
{
	struct outgoing m = {n, n % DESTS, size, 0, 0};

	end_post(&sender, &origin, &m, PIECE);
}

static void
toggle(unsigned d)
{
	held[d] = !held[d];
	CHECK(link_say_hold(&receiver.link, held[d], dest_slice(d)) == 0);
}

static void
run(unsigned seed, size_t step)
{
	struct hm_limits limits;
	unsigned n, d, stuck = 0;

	hm_limits_init(&limits);
	limits.link_window = 16384;
	memset(settled, 0, sizeof settled);
	memset(at, 0, sizeof at);
	memset(held, 0, sizeof held);
	got = resumed = 0;
	end_init(&sender, &ops, &limits, 1 << 20);
	end_init(&receiver, &ops, &limits, 1 << 20);
	end_join(&sender, &receiver);
	for (n = 1; n <= MESSAGES; n++) {
		seed = seed * 1103515245u + 12345u;
		post(n, 5 + seed / 65536 % (n % 7 == 0 ? 9000 : 200));
		if (seed / 256 % 5 == 0)
			toggle(seed / 4096 % DESTS);
		(void)end_carry(&sender, &receiver, step);
		(void)end_carry(&receiver, &sender, step);
	}
	end_drain(&sender, &receiver, ENDS_MOST);
	/* All that is not held has come, and what is held has not. */
	for (d = 0; d < DESTS; d++) {
		CHECK(held[d] ==
		      (link_held(&sender.link, dest_slice(d)) != NULL));
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
	end_drain(&sender, &receiver, ENDS_MOST);
	CHECK(got == MESSAGES && resumed > 0 && sender.link.lanes == NULL);
	for (n = 1; n <= MESSAGES; n++)
		CHECK(settled[n] == 1);
	CHECK(sender.link.ledger.unsettled == 0);
	link_lost(&sender.link, HM_UNKNOWN, "end", "");
	link_lost(&receiver.link, HM_UNKNOWN, "end", "");
	end_fini(&sender);
	end_fini(&receiver);
	CHECK(origin.refs == 1);
}

/* A link that is lost settles what its lanes hold, too. */
static void
lose(void)
{
	struct hm_limits limits;
	unsigned n;

	hm_limits_init(&limits);
	memset(settled, 0, sizeof settled);
	end_init(&sender, &ops, &limits, 1 << 20);
	for (n = 1; n <= 40; n++)
		post(n, 300);
	CHECK(link_take_hold(&sender.link, dest_slice(1)) == 0);
	CHECK(link_take_hold(&sender.link, dest_slice(1)) == 0); /* once more */
	CHECK(sender.link.nlanes == 1);
	link_take_resume(&sender.link, dest_slice(2)); /* never held */
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
	end_fini(&sender);
	CHECK(origin.refs == 1);
}

int
main(void)
{
	unsigned seed;

	source_init(&origin, on_settle);
	for (seed = 1; seed <= 40; seed++) {
		run(seed, 300);
		run(seed, 5000);
		run(seed, 70000);
	}
	lose();
	return 0;
}
