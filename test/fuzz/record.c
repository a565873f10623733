/*
 * Records, one after the other: what is a record stays one whatever comes
 * behind it, and is none before its last byte has come; greetings are written
 * as they were read; settlements and destinations stay inside.
 */
#include <string.h>

#include "wire/record.h"
#include "fuzz.h"

/* All that may be said of it before it is whole: wait, or no. */
static void
grow(const uint8_t *data, size_t size, int got, const struct hm_record *rec)
{
	struct hm_record part;
	size_t whole = rec->len + HM_RECORD_HEADER, n, step = whole / 16 + 1;
	int before = 0, now;

	for (n = 0; n < size && (got != 1 || n < whole); n += step) {
		now = hm_record_peek(data, n, &part, NULL);
		CHECK(now != 1 && (before == 0 || now == -1));
		CHECK(got != 1 || now == 0);
		before = now;
	}
}

static void
greeting(const uint8_t *record, const struct hm_record *rec)
{
	unsigned char again[HM_HELLO_MAX];
	const uint8_t *body = record + HM_RECORD_HEADER;
	struct hm_hello hello;
	size_t n;

	if (hm_hello_read(&hello, body, rec->len, NULL) == -1)
		return;
	CHECK(hello.major == HM_WIRE_MAJOR);
	CHECK(hello.addr.n == 0 ||
	      hm_addr_text_valid(hello.addr.p, hello.addr.n));
	CHECK(hello.name.n == 0 || hm_name_valid(hello.name.p, hello.name.n));
	n = hm_hello_write(again, (enum hm_record_type)rec->type, &hello);
	CHECK(n == rec->len + HM_RECORD_HEADER);
	again[HM_RECORD_HEADER + 7] = body[7]; /* reserved */
	CHECK(memcmp(again, record, n) == 0);
}

static void
settlement(const uint8_t *body, const struct hm_record *rec)
{
	size_t n = hm_get32(body), at = 4 + 12 * n, i;

	CHECK(n > 0 && at + 4 <= rec->len && rec->extra <= HM_UNKNOWN);
	for (i = 0; i < n; i++)
		CHECK(hm_get32(body + 12 + 12 * i) > 0 &&
		      hm_get64(body + 4 + 12 * i) <=
			  UINT64_MAX - hm_get32(body + 12 + 12 * i));
	at += 2u + hm_get16(body + at);
	CHECK(at + 2 <= rec->len);
	at += 2u + hm_get16(body + at);
	CHECK(at == rec->len);
}

static void
destination(const uint8_t *body, const struct hm_record *rec)
{
	size_t n = body[0];

	CHECK(n + 2 <= rec->len && n + 2 + body[n + 1] == rec->len);
	CHECK(hm_addr_text_valid((const char *)body + 1, n));
	CHECK(hm_name_valid((const char *)body + n + 2, body[n + 1]));
}

static void
message(const uint8_t *body, const struct hm_record *rec)
{
	struct hm_head_known known;
	struct hm_head head, again;

	CHECK(rec->len >= 8u + rec->extra);
	CHECK((rec->extra > 0) == ((rec->flags & HM_DATA_FIRST) != 0));
	if (rec->extra == 0 ||
	    hm_head_read(&head, body + 8, rec->extra, NULL) == -1)
		return;
	/* What is remembered of the one before makes no difference. */
	known.dest = head.dest_proc;
	known.sender = head.sender_proc;
	CHECK(hm_head_read_known(&again, body + 8, rec->extra, &known, NULL) ==
	      0);
	CHECK(again.known && again.payload_len == head.payload_len);
	CHECK(again.type.p == head.type.p && again.errors.p == head.errors.p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hm_record rec;
	struct hm_error err;
	unsigned char header[HM_RECORD_HEADER];
	int got = 1;

	while (got == 1) {
		memset(&rec, 0, sizeof rec);
		err.text[0] = '\0';
		got = hm_record_peek(data, size, &rec, &err);
		CHECK(got != -1 || err.text[0] != '\0');
		grow(data, size, got, &rec);
		if (got != 1)
			break;
		CHECK(rec.len <= HM_BODY_MAX);
		hm_record_header(header, &rec);
		CHECK(memcmp(header, data, sizeof header) == 0);
		if (rec.type == HM_REC_HELLO || rec.type == HM_REC_HELLO_BACK)
			greeting(data, &rec);
		else if (rec.type == HM_REC_SETTLE)
			settlement(data + HM_RECORD_HEADER, &rec);
		else if (rec.type == HM_REC_HOLD || rec.type == HM_REC_RESUME)
			destination(data + HM_RECORD_HEADER, &rec);
		else if (rec.type == HM_REC_DATA)
			message(data + HM_RECORD_HEADER, &rec);
		data += rec.len + HM_RECORD_HEADER;
		size -= rec.len + HM_RECORD_HEADER;
	}
	return 0;
}
