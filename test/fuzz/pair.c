/*
 * Two links back to back, on a schedule that the input chooses: messages whole
 * and in pieces, to three destinations; bytes written and read as many at a
 * time as it likes; settlements early, late and out of order; credit kept;
 * holds, aborts, time-outs; connections that break with what is on its way, and
 * go on.
 *
 * Whatever the order: each message comes once, whole, in order for its
 * destination, and is settled once.  What was delivered is never called
 * anything else (unknown, when the link is lost), what is called not sent never
 * comes, and in the end all credit is where it was.
 */
#include <string.h>

#include "fuzz.h"
#include "../drivers/ends.h"

#define MESSAGES 200u
#define DESTS 3u
#define WIRE_MAX ((size_t)512 * 1024)
#define PIECE 4000u

enum outcome { OPEN = -1 };

struct message {
	struct outgoing out;
	int outcome; /* at its origin, OPEN until it is settled */
	int said;    /* by the receiver, the same */
	size_t come; /* of its payload */
	bool begun, done, gone;
	unsigned settled;
};

struct wire {
	size_t n, at;
	unsigned char p[WIRE_MAX];
};

struct side {
	struct end end; /* first */
	struct side *peer;
	struct hm_source origin;
	struct message messages[MESSAGES + 1]; /* it sends, by origin number */
	unsigned posted;
	unsigned unfinished[DESTS]; /* is parked in part, 0: none */
	uint64_t owed, given;	    /* back to the origin */
	/* as the receiver of the other side's */
	unsigned pending[MESSAGES], npending;
	unsigned last[DESTS], now[DESTS];
	uint64_t kept; /* credit */
	bool holds[DESTS], keeps;
	struct wire wire; /* what was written to it, and not read */
};

static struct side sides[2];
static bool lost;

/* --- the origin */

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
	struct message *m;

	for (; n > 0; n--, first++) {
		CHECK(first >= 1 && first <= side->posted);
		m = &side->messages[first];
		CHECK(m->settled++ == 0);
		m->outcome = (int)how->outcome;
		/* Nobody says "delivered" but who took it. */
		if (how->outcome == HM_DELIVERED)
			CHECK(m->said == HM_DELIVERED);
		if (m->said == HM_DELIVERED)
			CHECK(how->outcome == HM_DELIVERED ||
			      (lost && how->outcome == HM_UNKNOWN));
		if (m->done)
			CHECK(how->outcome != HM_TIMED_OUT &&
			      (how->outcome != HM_NOT_SENT ||
				  m->said == HM_NOT_SENT));
	}
}

static void
origin_credit(struct hm_source *source, uint64_t cost)
{
	side_of_origin(source)->given += cost;
}

/* Parks the next piece of message n. */
static void
park_piece(struct side *side, unsigned n, size_t most)
{
	side->owed +=
	    end_park(&side->end, &side->origin, &side->messages[n].out, most);
}

static void
end_unfinished(struct side *side, unsigned dest)
{
	static const struct settlement gone = {
	    HM_NOT_SENT, {"gone", 4}, {"", 0}, false};
	unsigned n = side->unfinished[dest];

	if (n == 0)
		return;
	side->unfinished[dest] = 0;
	link_abort(&side->end.link,
	    link_queue(&side->end.link, dest_slice(dest)),
	    side->messages[n].out.number, &gone);
}

/* The next piece of what is unfinished for dest. */
static void
go_on(struct side *side, unsigned dest)
{
	unsigned n = side->unfinished[dest];
	struct message *m = &side->messages[n];

	if (n == 0)
		return;
	if (!ledger_has(&side->end.link.ledger, m->out.number)) {
		end_unfinished(side, dest);
		return;
	}
	park_piece(side, n, PIECE);
	if (m->out.parked == m->out.size)
		side->unfinished[dest] = 0;
}

static void
post(struct side *side, unsigned dest, unsigned size, bool pieces)
{
	static const size_t sizes[] = {
	    0, 1, 30, 300, 3000, 4500, 9000, HM_PIECE_MAX};
	struct message *m;

	/* Pieces of one flow do not pass each other. */
	while (side->unfinished[dest] != 0)
		go_on(side, dest);
	if (side->posted == MESSAGES)
		return;
	m = &side->messages[++side->posted];
	m->out.n = side->posted;
	m->out.dest = dest;
	m->out.size = sizes[size % (sizeof sizes / sizeof *sizes)];
	m->outcome = m->said = OPEN;
	pieces = pieces && m->out.size > PIECE;
	m->out.number =
	    link_begin(&side->end.link, &side->origin, side->posted, !pieces);
	CHECK(m->out.number != 0);
	park_piece(side, side->posted, pieces ? PIECE : HM_PIECE_MAX);
	if (pieces)
		side->unfinished[dest] = side->posted;
}

/* --- the receiver */

static struct message *
by_number(struct side *from, uint64_t number, unsigned *n)
{
	for (*n = from->posted; *n > 0; --*n) {
		if (from->messages[*n].out.number == number)
			return &from->messages[*n];
	}
	CHECK(false);
	return NULL;
}

static void
say_settled(struct side *side, unsigned n, enum hm_outcome outcome)
{
	struct message *m = &side->peer->messages[n];
	struct settlement how = {outcome, {"", 0}, {"", 0}, true};

	if (outcome != HM_DELIVERED) {
		how.reason.p = "no";
		how.reason.n = 2;
	}
	m->said = (int)outcome;
	side->end.link.source.settle(
	    &side->end.link.source, m->out.number, 1, &how);
}

static int
on_data(struct link *link, const struct hm_record *rec, struct chunk *chunk,
    unsigned char *p, uint32_t cost, struct hm_error *err)
{
	struct side *side = (struct side *)link;
	size_t skip = HM_DATA_HEADER + rec->extra;
	size_t len = rec->len + HM_RECORD_HEADER - skip;
	struct hm_head head;
	struct message *m;
	unsigned n;

	(void)chunk;
	m = by_number(side->peer, hm_get64(p + HM_RECORD_HEADER), &n);
	if (rec->flags & HM_DATA_FIRST) {
		CHECK(hm_head_read(
			  &head, p + HM_DATA_HEADER, rec->extra, err) == 0);
		CHECK(head.dest.port == n && head.payload_len == m->out.size);
		CHECK(!m->begun && n > side->last[m->out.dest]);
		CHECK(side->now[m->out.dest] == 0);
		m->begun = true;
		side->last[m->out.dest] = n;
	}
	CHECK(m->begun && !m->done && !m->gone);
	check_bytes(p + skip, len, n, m->come);
	m->come += len;
	side->now[m->out.dest] = n;
	if (rec->flags & HM_DATA_LAST) {
		CHECK(m->come == m->out.size);
		/* What it was told is not sent does not come. */
		CHECK(m->said != OPEN || m->outcome == OPEN);
		side->now[m->out.dest] = 0;
		m->done = true;
		if (m->said == OPEN)
			side->pending[side->npending++] = n;
	}
	if (side->keeps)
		side->kept += cost;
	else
		link_freed(link, cost);
	return 0;
}

static void
on_abort(struct link *link, uint64_t number)
{
	struct side *side = (struct side *)link;
	unsigned n;
	struct message *m = by_number(side->peer, number, &n);

	/* It may have been given up before it began. */
	CHECK(!m->done);
	if (!m->begun || m->gone)
		return;
	m->gone = true;
	if (side->now[m->out.dest] == n)
		side->now[m->out.dest] = 0;
	if (m->said != OPEN)
		return;
	/* Put together here it is forgotten; passed on, it comes back. */
	if (n % 2 == 0)
		link->coming--;
	else
		say_settled(side, n, HM_NOT_SENT);
}

static const struct link_ops ops = {
    on_data, on_abort, ends_on_bye, ends_on_due, ends_on_unused, NULL};

static void
settle_one(struct side *side, unsigned arg)
{
	unsigned i, n;

	if (side->npending == 0)
		return;
	i = arg & 1 ? side->npending - 1 : 0;
	n = side->pending[i];
	memmove(side->pending + i, side->pending + i + 1,
	    (--side->npending - i) * sizeof *side->pending);
	say_settled(side, n, arg & 2 ? HM_REFUSED : HM_DELIVERED);
}

/* What comes in pieces for dest is refused before its last. */
static void
refuse_early(struct side *side, unsigned dest)
{
	unsigned n = side->now[dest];

	if (n != 0 && side->peer->messages[n].said == OPEN)
		say_settled(side, n, HM_REFUSED);
}

static void
free_kept(struct side *side)
{
	uint64_t kept = side->kept;

	side->kept = 0;
	if (kept > 0)
		link_freed(&side->end.link, kept);
}

/* --- between them */

static bool
write_some(struct side *from, size_t most)
{
	struct wire *wire = &from->peer->wire;
	size_t n;

	if (wire->at > 0) {
		memmove(wire->p, wire->p + wire->at, wire->n - wire->at);
		wire->n -= wire->at;
		wire->at = 0;
	}
	if (most > WIRE_MAX - wire->n)
		most = WIRE_MAX - wire->n;
	n = end_output(&from->end, wire->p + wire->n, most);
	CHECK(!from->end.link.lame);
	wire->n += n;
	return n > 0;
}

static bool
read_some(struct side *to, size_t most)
{
	struct wire *wire = &to->wire;
	size_t len = wire->n - wire->at;
	struct hm_error err;

	if (len > most)
		len = most;
	if (len == 0)
		return false;
	CHECK(end_input(&to->end, wire->p + wire->at, len, &err) == 0);
	wire->at += len;
	return true;
}

/* The connection breaks; what was on its way is lost, and the session goes on
 * over another. */
static void
reconnect(void)
{
	int i;

	if (!sides[0].end.link.keep)
		return;
	for (i = 0; i < 2; i++) {
		sides[i].wire.n = sides[i].wire.at = sides[i].end.nrest = 0;
		CHECK(link_resumed(&sides[i].end.link,
			  sides[1 - i].end.link.received) == 0);
	}
}

static void
time_out(struct side *side, unsigned dest)
{
	static const struct settlement late = {
	    HM_TIMED_OUT, {"late", 4}, {"", 0}, false};
	struct queue *queue = link_queue(&side->end.link, dest_slice(dest));

	if (queue == &side->end.link.park)
		link_unpump(&side->end.link);
	link_return_parked(&side->end.link, queue, 0, &late);
}

static size_t
amount(unsigned arg)
{
	static const size_t amounts[] = {
	    1, 7, 100, 129, 1000, 5000, 30000, WIRE_MAX};

	return amounts[arg % 8];
}

static void
act(unsigned op, unsigned arg)
{
	struct side *side = &sides[op & 1];
	unsigned dest = arg / 8 % DESTS;

	switch (op / 2 % 16) {
	case 0:
	case 1:
		post(side, dest, arg, (op / 2 & 1) != 0);
		break;
	case 2:
		go_on(side, dest);
		break;
	case 3:
	case 4:
		(void)write_some(side, amount(arg));
		break;
	case 5:
	case 6:
		(void)read_some(side, amount(arg));
		break;
	case 7:
		settle_one(side, arg);
		break;
	case 8:
		free_kept(side);
		side->keeps = (arg & 1) != 0;
		break;
	case 9:
		side->holds[dest] = !side->holds[dest];
		CHECK(link_say_hold(&side->end.link, side->holds[dest],
			  dest_slice(dest)) == 0);
		break;
	case 10:
		end_unfinished(side, dest);
		break;
	case 11:
		refuse_early(side, dest);
		break;
	case 12:
		time_out(side, dest);
		break;
	case 13:
		reconnect();
		break;
	case 14:
		link_reclaim(&side->end.link);
		break;
	default:
		link_ask(&side->end.link);
	}
}

/* --- what must be so */

static void
check(const struct side *side)
{
	const struct link *link = &side->end.link;

	CHECK(link->window == link->granted + link->owed + side->kept);
	CHECK(side->end.pool.granted == link->window);
	CHECK(side->end.pool.granted <= side->end.pool.limit);
	CHECK(side->given <= side->owed);
}

static void
begin(struct side *side, struct side *peer, const struct hm_limits *limits,
    uint64_t memory, bool keep)
{
	/* Not the wire, which is large and was read to its end. */
	memset(side, 0, offsetof(struct side, wire));
	side->wire.n = side->wire.at = 0;
	side->peer = peer;
	source_init(&side->origin, origin_settle);
	side->origin.credit = origin_credit;
	end_init(&side->end, &ops, limits, memory);
	side->end.link.keep = keep;
}

/* Everything is let go, until nothing moves any more. */
static void
drain(void)
{
	bool moved = true;
	unsigned i, dest;

	for (i = 0; i < 2; i++) {
		for (dest = 0; dest < DESTS; dest++) {
			while (sides[i].unfinished[dest] != 0)
				go_on(&sides[i], dest);
			if (sides[i].holds[dest])
				CHECK(link_say_hold(&sides[i].end.link, false,
					  dest_slice(dest)) == 0);
		}
		sides[i].keeps = false;
	}
	while (moved) {
		moved = false;
		for (i = 0; i < 2; i++) {
			free_kept(&sides[i]);
			while (sides[i].npending > 0)
				settle_one(&sides[i], 0);
			moved = write_some(&sides[i], WIRE_MAX) || moved;
			moved = read_some(&sides[i], WIRE_MAX) || moved;
			check(&sides[i]);
		}
	}
}

static void
finish(void)
{
	struct side *side;
	unsigned i, n;

	for (side = sides; !lost && side < sides + 2; side++) {
		CHECK(side->end.link.ledger.unsettled == 0);
		CHECK(side->end.link.nopen == 0 && link_idle(&side->end.link));
		CHECK(side->end.link.coming == 0);
		CHECK(side->end.link.credit == side->peer->end.link.granted);
		CHECK(side->given == side->owed || side->end.link.keep);
	}
	for (side = sides; side < sides + 2; side++) {
		link_lost(&side->end.link, HM_UNKNOWN, "end", "");
		for (n = 1; n <= side->posted; n++)
			CHECK(side->messages[n].settled == 1);
	}
	for (i = 0; i < 2; i++) {
		free_kept(&sides[i]);
		end_fini(&sides[i].end);
		CHECK(sides[i].given == sides[i].owed);
		CHECK(sides[i].origin.refs == 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hm_limits limits;
	uint64_t memory;
	size_t i;

	if (size < 2)
		return 0;
	hm_limits_init(&limits);
	limits.link_window = (uint64_t)4096 << data[0] % 9;
	memory = (uint64_t)4096 << data[0] / 16;
	lost = false;
	begin(&sides[0], &sides[1], &limits, memory, (data[1] & 1) != 0);
	begin(&sides[1], &sides[0], &limits, memory, (data[1] & 1) != 0);
	end_join(&sides[0].end, &sides[1].end);
	for (i = 2; i + 1 < size && i < 4096; i += 2) {
		act(data[i], data[i + 1]);
		check(&sides[0]);
		check(&sides[1]);
	}
	if (data[1] & 2)
		lost = true;
	else
		drain();
	finish();
	return 0;
}
