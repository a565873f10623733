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
#include <stdlib.h>
#include <string.h>

#include "link/link.h"
#include "fuzz.h"

#define MESSAGES 200u
#define DESTS 3u
#define WIRE_MAX ((size_t)512 * 1024)
#define PIECE 4000u

enum outcome { OPEN = -1 };

struct message {
	uint64_t number; /* on the link; 0: not begun */
	size_t size, parked;
	unsigned dest;
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
	struct link link; /* first */
	struct side *peer;
	struct chunk_arena arena;
	struct credit_pool pool;
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
	struct wire wire;    /* what was written to it, and not read */
	unsigned char *rest; /* of a record */
	size_t nrest;
};

static struct side sides[2];
static bool lost;

static struct hm_slice
dest_slice(unsigned dest)
{
	static const char *const dests[DESTS] = {
	    "\6unix:x\1a", "\6unix:x\1b", "\6unix:x\1c"};
	struct hm_slice s = {dests[dest], 9};

	return s;
}

static unsigned char
byte_of(unsigned n, size_t at)
{
	return (unsigned char)(n * 31 + at * 7 + (at >> 8));
}

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

static void
unused_source(struct hm_source *source)
{
	(void)source;
}

/* Parks the next piece of message n, of at most PIECE bytes. */
static void
park_piece(struct side *side, unsigned n, size_t most)
{
	struct message *m = &side->messages[n];
	struct hm_record rec = {0, HM_REC_DATA, 0, 0};
	struct hm_head_source src = {
	    m->size, 64, 0, NULL, NULL, "t", NULL, NULL};
	unsigned char head[HM_HEAD_MAX];
	struct hm_id to;
	size_t len = m->size - m->parked, i;
	long nhead = 0;
	struct chunk *chunk;
	unsigned char *p;

	if (len > most)
		len = most;
	hm_id_set(&to, "unix:x", &"a\0b\0c"[2 * m->dest], "m", 0, n);
	src.dest = src.sender = &to;
	if (m->parked == 0)
		nhead = hm_head_write(head, &src);
	CHECK(nhead >= 0);
	rec.len = (uint32_t)(8 + (size_t)nhead + len);
	rec.extra = (uint16_t)nhead;
	rec.flags = (uint8_t)((nhead > 0 ? HM_DATA_FIRST : 0) |
			      (m->parked + len == m->size ? HM_DATA_LAST : 0));
	chunk = chunk_new(rec.len + HM_RECORD_HEADER);
	CHECK(chunk != NULL);
	p = chunk->bytes;
	hm_record_header(p, &rec);
	memcpy(p + HM_DATA_HEADER, head, (size_t)nhead);
	for (i = 0; i < len; i++)
		p[HM_DATA_HEADER + (size_t)nhead + i] =
		    byte_of(n, m->parked + i);
	m->parked += len;
	side->owed += link_cost(rec.len + HM_RECORD_HEADER);
	CHECK(
	    link_park(&side->link, link_queue(&side->link, dest_slice(m->dest)),
		m->number, chunk, p, rec.len + HM_RECORD_HEADER, &side->origin,
		link_cost(rec.len + HM_RECORD_HEADER),
		m->parked == m->size) == 0);
	chunk_drop(chunk);
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
	link_abort(&side->link, link_queue(&side->link, dest_slice(dest)),
	    side->messages[n].number, &gone);
}

/* The next piece of what is unfinished for dest. */
static void
go_on(struct side *side, unsigned dest)
{
	unsigned n = side->unfinished[dest];
	struct message *m = &side->messages[n];

	if (n == 0)
		return;
	if (!ledger_has(&side->link.ledger, m->number)) {
		end_unfinished(side, dest);
		return;
	}
	park_piece(side, n, PIECE);
	if (m->parked == m->size)
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
	m->dest = dest;
	m->size = sizes[size % (sizeof sizes / sizeof *sizes)];
	m->outcome = m->said = OPEN;
	pieces = pieces && m->size > PIECE;
	m->number =
	    link_begin(&side->link, &side->origin, side->posted, !pieces);
	CHECK(m->number != 0);
	park_piece(side, side->posted, pieces ? PIECE : HM_PIECE_MAX);
	if (pieces)
		side->unfinished[dest] = side->posted;
}

/* --- the receiver */

static struct message *
by_number(struct side *from, uint64_t number, unsigned *n)
{
	for (*n = from->posted; *n > 0; --*n) {
		if (from->messages[*n].number == number)
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
	side->link.source.settle(&side->link.source, m->number, 1, &how);
}

static int
on_data(struct link *link, const struct hm_record *rec, struct chunk *chunk,
    unsigned char *p, uint32_t cost, struct hm_error *err)
{
	struct side *side = (struct side *)link;
	size_t skip = HM_DATA_HEADER + rec->extra, i;
	size_t len = rec->len + HM_RECORD_HEADER - skip;
	struct hm_head head;
	struct message *m;
	unsigned n;

	(void)chunk;
	m = by_number(side->peer, hm_get64(p + HM_RECORD_HEADER), &n);
	if (rec->flags & HM_DATA_FIRST) {
		CHECK(hm_head_read(
			  &head, p + HM_DATA_HEADER, rec->extra, err) == 0);
		CHECK(head.dest.port == n && head.payload_len == m->size);
		CHECK(!m->begun && n > side->last[m->dest]);
		CHECK(side->now[m->dest] == 0);
		m->begun = true;
		side->last[m->dest] = n;
	}
	CHECK(m->begun && !m->done && !m->gone);
	for (i = 0; i < len; i++)
		CHECK(p[skip + i] == byte_of(n, m->come + i));
	m->come += len;
	side->now[m->dest] = n;
	if (rec->flags & HM_DATA_LAST) {
		CHECK(m->come == m->size);
		/* What it was told is not sent does not come. */
		CHECK(m->said != OPEN || m->outcome == OPEN);
		side->now[m->dest] = 0;
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
	if (side->now[m->dest] == n)
		side->now[m->dest] = 0;
	if (m->said != OPEN)
		return;
	/* Put together here it is forgotten; passed on, it comes back. */
	if (n % 2 == 0)
		link->coming--;
	else
		say_settled(side, n, HM_NOT_SENT);
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
		link_freed(&side->link, kept);
}

/* --- between them */

static bool
write_some(struct side *from, size_t most)
{
	struct wire *wire = &from->peer->wire;
	struct iovec iov[8];
	size_t n, total = 0;
	int i, count;

	link_gather(&from->link);
	link_pump(&from->link);
	CHECK(!from->link.lame);
	if (wire->at > 0) {
		memmove(wire->p, wire->p + wire->at, wire->n - wire->at);
		wire->n -= wire->at;
		wire->at = 0;
	}
	count = link_output(&from->link, iov, 8);
	for (i = 0; i < count && total < most; i++) {
		n = iov[i].iov_len < most - total ? iov[i].iov_len
						  : most - total;
		if (n > WIRE_MAX - wire->n)
			break;
		memcpy(wire->p + wire->n, iov[i].iov_base, n);
		wire->n += n;
		total += n;
	}
	link_wrote(&from->link, total);
	return total > 0;
}

static bool
read_some(struct side *to, size_t most)
{
	struct wire *wire = &to->wire;
	size_t len = wire->n - wire->at;
	struct hm_error err;
	struct chunk *chunk;
	long used;

	if (len > most)
		len = most;
	if (len == 0)
		return false;
	chunk = chunk_new(to->nrest + len);
	CHECK(chunk != NULL);
	if (to->nrest > 0)
		memcpy(chunk->bytes, to->rest, to->nrest);
	memcpy(chunk->bytes + to->nrest, wire->p + wire->at, len);
	wire->at += len;
	len += to->nrest;
	used = link_input(&to->link, chunk, chunk->bytes, len, &err);
	CHECK(used >= 0);
	to->nrest = len - (size_t)used;
	CHECK(to->nrest <= HM_RECORD_MAX);
	memcpy(to->rest, chunk->bytes + used, to->nrest);
	chunk_drop(chunk);
	return true;
}

/* The connection breaks; what was on its way is lost, and the session goes on
 * over another. */
static void
reconnect(void)
{
	int i;

	if (!sides[0].link.keep)
		return;
	for (i = 0; i < 2; i++) {
		sides[i].wire.n = sides[i].wire.at = sides[i].nrest = 0;
		CHECK(link_resumed(
			  &sides[i].link, sides[1 - i].link.received) == 0);
	}
}

static void
time_out(struct side *side, unsigned dest)
{
	static const struct settlement late = {
	    HM_TIMED_OUT, {"late", 4}, {"", 0}, false};
	struct queue *queue = link_queue(&side->link, dest_slice(dest));

	if (queue == &side->link.park)
		link_unpump(&side->link);
	link_return_parked(&side->link, queue, 0, &late);
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
		CHECK(link_say_hold(&side->link, side->holds[dest],
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
		link_reclaim(&side->link);
		break;
	default:
		link_ask(&side->link);
	}
}

/* --- what must be so */

static void
check(const struct side *side)
{
	const struct link *link = &side->link;

	CHECK(link->window == link->granted + link->owed + side->kept);
	CHECK(side->pool.granted == link->window);
	CHECK(side->pool.granted <= side->pool.limit);
	CHECK(side->given <= side->owed);
}

static void
begin(struct side *side, struct side *peer, const struct hm_limits *limits,
    uint64_t memory, bool keep)
{
	unsigned char *rest = side->rest;

	/* Not the wire, which is large and was read to its end. */
	memset(side, 0, offsetof(struct side, wire));
	side->rest = rest != NULL ? rest : malloc(HM_RECORD_MAX);
	CHECK(side->rest != NULL);
	side->wire.n = side->wire.at = side->nrest = 0;
	side->peer = peer;
	side->pool.limit = memory;
	side->origin.settle = origin_settle;
	side->origin.credit = origin_credit;
	side->origin.unused = unused_source;
	side->origin.refs = 1;
	link_init(&side->link, &ops, limits, &side->arena, &side->pool);
	side->link.keep = keep;
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
				CHECK(link_say_hold(&sides[i].link, false,
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
		CHECK(side->link.ledger.unsettled == 0);
		CHECK(side->link.nopen == 0 && link_idle(&side->link));
		CHECK(side->link.coming == 0);
		CHECK(side->link.credit == side->peer->link.granted);
		CHECK(side->given == side->owed || side->link.keep);
	}
	for (side = sides; side < sides + 2; side++) {
		link_lost(&side->link, HM_UNKNOWN, "end", "");
		for (n = 1; n <= side->posted; n++)
			CHECK(side->messages[n].settled == 1);
	}
	for (i = 0; i < 2; i++) {
		free_kept(&sides[i]);
		link_fini(&sides[i].link);
		CHECK(sides[i].given == sides[i].owed);
		CHECK(sides[i].pool.granted == 0 && sides[i].origin.refs == 1);
		chunk_arena_fini(&sides[i].arena);
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
	sides[0].link.credit = sides[1].link.granted;
	sides[1].link.credit = sides[0].link.granted;
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
