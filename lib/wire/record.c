/*
 * Records: headers, and what a body of each type must look like before anybody
 * believes a word of it.
 */
#include <errno.h>
#include <string.h>

#include "wire/record.h"

static bool
data_fits(const struct hm_record *rec)
{
	if ((rec->flags & ~(HM_DATA_FIRST | HM_DATA_LAST | HM_DATA_ASK)) != 0)
		return false;
	if ((rec->flags & HM_DATA_FIRST) == 0)
		return rec->extra == 0 && rec->len >= 8;
	return rec->extra >= HM_HEAD_MIN && rec->extra <= HM_HEAD_MAX &&
	       rec->len >= 8u + rec->extra;
}

/* What the header alone tells. */
static bool
header_fits(const struct hm_record *rec)
{
	switch (rec->type) {
	case HM_REC_DATA:
		return data_fits(rec);
	case HM_REC_SETTLE:
		return rec->flags == 0 && rec->extra <= HM_UNKNOWN &&
		       rec->len >= 4 + 12 + 4;
	case HM_REC_CREDIT:
		return (rec->flags == 0 || rec->flags == HM_CREDIT_ASK ||
			   rec->flags == HM_CREDIT_BACK) &&
		       rec->extra == 0 && rec->len == 8;
	case HM_REC_ABORT:
	case HM_REC_RECEIVED:
		return rec->flags == 0 && rec->extra == 0 && rec->len == 8;
	case HM_REC_HELLO:
	case HM_REC_HELLO_BACK:
		return rec->flags == 0 && rec->extra == 0 && rec->len >= 43 &&
		       rec->len <= HM_HELLO_MAX - HM_RECORD_HEADER;
	case HM_REC_HOLD:
	case HM_REC_RESUME:
	case HM_REC_BYE:
		return rec->flags == 0 && rec->extra == 0 && rec->len >= 2;
	default:
		return false;
	}
}

static bool
settle_fits(const unsigned char *body, size_t len)
{
	size_t n = hm_get32(body), at, i;
	const unsigned char *p = body + 4;

	if (n == 0 || n > (len - 8) / 12)
		return false;
	for (i = 0; i < n; i++, p += 12) {
		if (hm_get32(p + 8) == 0 ||
		    hm_get64(p) > UINT64_MAX - hm_get32(p + 8))
			return false;
	}
	at = 4 + n * 12;
	at += 2 + hm_get16(body + at);
	return at + 2 <= len && at + 2 + hm_get16(body + at) == len;
}

static bool
dest_fits(const unsigned char *body, size_t len)
{
	size_t at = 1u + body[0];

	return at < len && at + 1 + body[at] == len &&
	       hm_addr_text_valid((const char *)body + 1, body[0]) &&
	       hm_name_valid((const char *)body + at + 1, body[at]);
}

static bool
body_fits(const struct hm_record *rec, const unsigned char *body)
{
	switch (rec->type) {
	case HM_REC_SETTLE:
		return settle_fits(body, rec->len);
	case HM_REC_HOLD:
	case HM_REC_RESUME:
		return dest_fits(body, rec->len);
	case HM_REC_BYE:
		return 2u + hm_get16(body) == rec->len;
	default:
		return true;
	}
}

int
hm_record_peek(const unsigned char *p, size_t len, struct hm_record *rec,
    struct hm_error *err)
{
	if (len < HM_RECORD_HEADER)
		return 0;
	rec->len = hm_get32(p);
	rec->type = p[4];
	rec->flags = p[5];
	rec->extra = hm_get16(p + 6);
	if (rec->len > HM_BODY_MAX)
		return hm_fail(err, EPROTO, "record of %lu bytes, at most %d",
		    (unsigned long)rec->len, HM_BODY_MAX);
	if (!header_fits(rec))
		return hm_fail(
		    err, EPROTO, "not a record (type %u)", rec->type);
	if (len - HM_RECORD_HEADER < rec->len)
		return 0;
	if (!body_fits(rec, p + HM_RECORD_HEADER))
		return hm_fail(
		    err, EPROTO, "malformed record (type %u)", rec->type);
	return 1;
}

void
hm_record_header(unsigned char *p, const struct hm_record *rec)
{
	hm_put32(p, rec->len);
	p[4] = rec->type;
	p[5] = rec->flags;
	hm_put16(p + 6, rec->extra);
}

static unsigned char *
put_str8(unsigned char *p, const struct hm_slice *s)
{
	*p++ = (unsigned char)s->n;
	if (s->n > 0)
		memcpy(p, s->p, s->n);
	return p + s->n;
}

size_t
hm_hello_write(
    unsigned char *p, enum hm_record_type type, const struct hm_hello *hello)
{
	struct hm_record rec = {0, (uint8_t)type, 0, 0};
	unsigned char *q = p + HM_RECORD_HEADER;

	hm_put32(q, HM_MAGIC);
	q[4] = hello->major;
	q[5] = hello->minor;
	q[6] = hello->kind;
	q[7] = 0;
	hm_put64(q + 8, hello->session);
	hm_put64(q + 16, hello->received);
	hm_put64(q + 24, hello->max_message);
	hm_put64(q + 32, hello->credit);
	q = put_str8(q + 40, &hello->addr);
	q = put_str8(q, &hello->name);
	q = put_str8(q, &hello->token);
	rec.len = (uint32_t)(q - p - HM_RECORD_HEADER);
	hm_record_header(p, &rec);
	return (size_t)(q - p);
}

static const unsigned char *
get_str8(const unsigned char *p, const unsigned char *end, struct hm_slice *s)
{
	if (p == NULL || p == end || *p > end - p - 1)
		return NULL;
	s->n = *p;
	s->p = (const char *)p + 1;
	return p + 1 + s->n;
}

int
hm_hello_read(struct hm_hello *hello, const unsigned char *body, size_t len,
    struct hm_error *err)
{
	const unsigned char *p = body + 40, *end = body + len;

	if (hm_get32(body) != HM_MAGIC)
		return hm_fail(err, EPROTO, "peer does not speak hostmux");
	hello->major = body[4];
	hello->minor = body[5];
	hello->kind = body[6];
	if (hello->major != HM_WIRE_MAJOR)
		return hm_fail(err, EPROTO, "peer speaks %u, this is %d",
		    hello->major, HM_WIRE_MAJOR);
	hello->session = hm_get64(body + 8);
	hello->received = hm_get64(body + 16);
	hello->max_message = hm_get64(body + 24);
	hello->credit = hm_get64(body + 32);
	p = get_str8(p, end, &hello->addr);
	p = get_str8(p, end, &hello->name);
	p = get_str8(p, end, &hello->token);
	if (p != end || hello->credit > ((uint64_t)1 << 40))
		return hm_fail(err, EPROTO, "malformed greeting");
	if (hello->addr.n > 0 &&
	    !hm_addr_text_valid(hello->addr.p, hello->addr.n))
		return hm_fail(err, EPROTO, "peer greets with a bad address");
	if (hello->name.n > 0 && !hm_name_valid(hello->name.p, hello->name.n))
		return hm_fail(err, EPROTO, "peer greets with a bad name");
	return 0;
}
