/*
 * A link beside those that are tormented: what it asks is answered all the
 * time.
 */
#ifndef WITNESS_H
#define WITNESS_H

#include "raw.h"

struct witness {
	struct raw raw;
	uint64_t credit, number;
	bool calls; /* who is asked answers, and does not only take it */
	bool settled, answered;
	char addr[HM_ADDR_SIZE];
	struct hm_id me, dest;
};

static inline void
witness_take(struct witness *w)
{
	static struct said s;
	uint64_t n;

	s.n = 0;
	CHECK(raw_next(&w->raw));
	CHECK(w->raw.rec.type != HM_REC_BYE);
	n = w->raw.rec.len >= 8 ? hm_get64(w->raw.body) : 0;
	if (w->raw.rec.type == HM_REC_CREDIT &&
	    w->raw.rec.flags == HM_CREDIT_ASK) {
		say_number(&s, HM_REC_CREDIT, HM_CREDIT_BACK, 0);
	} else if (w->raw.rec.type == HM_REC_CREDIT) {
		w->credit += n;
	} else if (w->raw.rec.type == HM_REC_SETTLE) {
		if (w->raw.rec.extra != HM_DELIVERED)
			fprintf(stderr, "the witness: not delivered: %.*s\n",
			    hm_get16(w->raw.body + 16), w->raw.body + 18);
		CHECK(w->raw.rec.extra == HM_DELIVERED);
		w->settled = true;
	} else if (w->raw.rec.type == HM_REC_DATA) {
		unsigned char body[20] = {0, 0, 0, 1};

		CHECK(w->raw.rec.flags & HM_DATA_LAST);
		hm_put64(body + 4, n);
		body[15] = 1;
		say_record(
		    &s, HM_REC_SETTLE, 0, HM_DELIVERED, body, sizeof body);
		n = w->raw.rec.len + HM_RECORD_HEADER;
		say_number(&s, HM_REC_CREDIT, 0, n < 128 ? 128 : n);
		w->answered = true;
	}
	raw_say(&w->raw, &s);
}

static inline void
witness_ask(struct witness *w)
{
	static struct said s;
	struct hm_head_source src = {
	    5, 64, 0, &w->dest, &w->me, "text/plain", NULL, NULL};
	const unsigned whole = HM_DATA_FIRST | HM_DATA_LAST | HM_DATA_ASK;
	size_t cost;

	s.n = 0;
	if (w->calls)
		src.reply_to = &w->me;
	w->settled = false;
	w->answered = !w->calls;
	say_data(&s, whole, ++w->number, &src, "alive", 5);
	cost = s.n < 128 ? 128 : s.n;
	while (w->credit < cost)
		witness_take(w);
	w->credit -= cost;
	raw_say(&w->raw, &s);
	while (!w->settled || !w->answered)
		witness_take(w);
}

/* Greets as that, and asks once. */
static inline void
witness_init(struct witness *w, const char *addr, const struct hm_hello *hello,
    const char *dest, bool calls)
{
	memset(w, 0, sizeof *w);
	w->calls = calls;
	raw_dial(&w->raw, addr);
	raw_greet(&w->raw, hello, w->addr);
	w->credit = hm_get64(w->raw.body + 32);
	hm_id_set(&w->dest, w->addr, dest, "main", 0, 0);
	if (hello->kind == HM_HELLO_HOST)
		hm_id_set(&w->me, hello->addr.p, "witness", "main", 0, 0);
	else
		hm_id_set(&w->me, w->addr, hello->name.p, "main", 0, 0);
	w->me.depth = HM_ID_PORT;
	witness_ask(w);
}

#endif
