/*
 * The records of a link, byte by byte (hostmux-protocol(7) is the same for
 * people).  Everything is big-endian.  Codecs are pure: bytes in, struct out.
 *
 * header   u32 length of the body
 *          u8  type
 *          u8  flags
 *          u16 DATA with FIRST: length of the head; SETTLE: the outcome; else 0
 * body     by type:
 *   HELLO, HELLO_BACK
 *          u32 magic "hmux", u8 major, u8 minor, u8 kind, u8 0,
 *          u64 session, u64 received, u64 largest message, u64 credit granted,
 *          str8 id address, str8 name, str8 token
 *   DATA   u64 number of the message; FIRST: the head; then payload bytes
 *   ABORT  u64 number
 *   SETTLE u32 n, n × (u64 first, u32 count), str16 reason, str16 at
 *          (reason and at empty when delivered)
 *   RECEIVED u64 records received in order
 *   CREDIT u64 bytes; flags: 0 granted, ASK asked back, BACK given back
 *   HOLD, RESUME   destination (a proc id as in a head: str8 addr, str8 proc)
 *   BYE    str16 reason ("" = in order)
 * head     u64 payload length, u8 ttl, u8 flags, u16 0, u32 uid, u32 pid,
 *          dest: str8 addr, str8 proc, str8 actor, u64 index, u64 port
 *          sender: str8 addr, str8 proc, str8 actor, u64 index
 *          str8 type
 *          u8 n, n × (str8 key, str16 value)           headers
 *          u8 n, n × (u8 outcome, str16 reason, str16 at)   errors
 * strN is an N-bit length and that many bytes.
 */
#ifndef HM_RECORD_H
#define HM_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <hostmux/envelope.h>
#include <hostmux/error.h>

#define HM_RECORD_HEADER 8
#define HM_DATA_HEADER 16 /* with the message's number */
#define HM_MAGIC 0x686d7578u
#define HM_WIRE_MAJOR 1
#define HM_WIRE_MINOR 0
/*
 * Largest body: a piece of payload behind a head and a number.  16 KiB pieces
 * let a small message in after 20 µs of a large one, and keep what a read
 * leaves over (copied to the front of the next) cheap.
 */
#define HM_PIECE_MAX 16384
#define HM_BODY_MAX (HM_PIECE_MAX + HM_HEAD_MAX + 8)
#define HM_RECORD_MAX (HM_RECORD_HEADER + HM_BODY_MAX)

enum hm_record_type {
	HM_REC_HELLO = 1,
	HM_REC_HELLO_BACK,
	HM_REC_DATA,
	HM_REC_ABORT,
	HM_REC_SETTLE,
	HM_REC_RECEIVED,
	HM_REC_CREDIT,
	HM_REC_HOLD,
	HM_REC_RESUME,
	HM_REC_BYE
};

#define HM_DATA_FIRST 0x01u
#define HM_DATA_LAST 0x02u
#define HM_DATA_ASK 0x04u /* settle what you have at once */
#define HM_CREDIT_ASK 0x01u
#define HM_CREDIT_BACK 0x02u

/* Offsets inside a head, for what hosts rewrite in place. */
#define HM_HEAD_TTL 8
#define HM_HEAD_FLAGS 9
#define HM_HEAD_UID 12
#define HM_HEAD_PID 16
#define HM_HEAD_DEST 20
/* The least head: fixed part, two ids of three short names, type, two counts.
 */
#define HM_HEAD_MIN (HM_HEAD_DEST + 2 * 6 + 16 + 8 + 2 + 2)
/* A new head leaves room for the reason it may come back with. */
#define HM_HEAD_ROOM (HM_HEAD_MAX - 512)

/* Each in one expression or run of stores, which compilers make one move. */
static inline void
hm_put16(unsigned char *p, uint16_t n)
{
	p[0] = (unsigned char)(n >> 8);
	p[1] = (unsigned char)n;
}
static inline void
hm_put32(unsigned char *p, uint32_t n)
{
	p[0] = (unsigned char)(n >> 24);
	p[1] = (unsigned char)(n >> 16);
	p[2] = (unsigned char)(n >> 8);
	p[3] = (unsigned char)n;
}
static inline void
hm_put64(unsigned char *p, uint64_t n)
{
	hm_put32(p, (uint32_t)(n >> 32));
	hm_put32(p + 4, (uint32_t)n);
}
static inline uint16_t
hm_get16(const unsigned char *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t
hm_get32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t
hm_get64(const unsigned char *p)
{
	return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 |
	       (uint64_t)p[2] << 40 | (uint64_t)p[3] << 32 |
	       (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
	       (uint64_t)p[6] << 8 | p[7];
}

/* A record's header. */
struct hm_record {
	uint32_t len; /* of the body */
	uint8_t type, flags;
	uint16_t extra;
};

/*
 * 1 and *rec when a whole record stands at p, 0 when more bytes are needed, -1
 * with a sentence (EPROTO) as soon as what stands there cannot be one: unknown
 * type, a body over HM_BODY_MAX or wrong for its type, unknown flags.
 */
int hm_record_peek(const unsigned char *p, size_t len, struct hm_record *rec,
    struct hm_error *err);
void hm_record_header(unsigned char *p, const struct hm_record *rec);

/* Kinds of a greeting: what the dialer is. */
enum hm_hello_kind {
	HM_HELLO_ATTACH = 1, /* a client: name asked for, or "" */
	HM_HELLO_JOIN,	     /* the same, and counts as a proc */
	HM_HELLO_BOOT,	     /* a proc: name and token of its reservation */
	HM_HELLO_HOST,	     /* a host or stand-alone proc: its id address */
	HM_HELLO_RESUME	     /* a session goes on */
};

struct hm_hello {
	uint8_t major, minor, kind;
	uint64_t session, received, max_message, credit;
	struct hm_slice addr, name, token; /* point into what was read */
};

#define HM_HELLO_MAX (HM_RECORD_HEADER + 40 + 3 * 256)
/* Writes a whole record, header included; the length. */
size_t hm_hello_write(
    unsigned char *p, enum hm_record_type type, const struct hm_hello *hello);
/* body of a record that peek accepted; -1 with a sentence, also for another
 * major version: "peer speaks 2, this is 1". */
int hm_hello_read(struct hm_hello *hello, const unsigned char *body, size_t len,
    struct hm_error *err);

/* A head, its parts pointing into the bytes it was read from. */
struct hm_idref {
	struct hm_slice addr, proc, actor;
	uint64_t index, port;
};

struct hm_head {
	uint64_t payload_len;
	uint8_t ttl, flags;
	uint32_t uid, pid;
	struct hm_idref dest, sender;
	/* The bytes of "str8 addr, str8 proc" of each, for one memcmp. */
	struct hm_slice dest_proc, sender_proc;
	struct hm_slice type;
	struct hm_slice headers, errors; /* from their count byte on */
	size_t len;			 /* of the whole head */
	bool known;			 /* both procs are the known ones */
};

/* dest_proc and sender_proc of a head that was accepted before: where they
 * stand again they need no second look. */
struct hm_head_known {
	struct hm_slice dest, sender;
};

/* Reads and checks a head of exactly len bytes: lengths, names, type, headers
 * (no key twice, values UTF-8 without NUL, reply-to of the form of a port id).
 * -1 with a sentence (EPROTO). */
int hm_head_read(struct hm_head *head, const unsigned char *p, size_t len,
    struct hm_error *err);
/* The same, with what is known; NULL: nothing. */
int hm_head_read_known(struct hm_head *head, const unsigned char *p, size_t len,
    const struct hm_head_known *known, struct hm_error *err);
/* The value of a header of a head that was read in full; false: none. */
bool hm_head_header(
    const struct hm_head *head, const char *key, struct hm_slice *value);
/* Reads a head that was accepted before, up to its type. */
void hm_head_parse(struct hm_head *head, const unsigned char *p, size_t len);
/* The destination of such a head: str8 address, str8 proc. */
static inline struct hm_slice
hm_head_dest(const unsigned char *head)
{
	const unsigned char *p = head + HM_HEAD_DEST;
	size_t addr = 1u + p[0];
	struct hm_slice dest = {(const char *)p, addr + 1u + p[addr]};

	return dest;
}
static inline bool
hm_slice_same(struct hm_slice a, struct hm_slice b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}
/* Writes a head; headers as key, value pairs.  The length, or -1: EMSGSIZE
 * over HM_HEAD_ROOM. */
struct hm_head_source {
	uint64_t payload_len;
	uint8_t ttl, flags;
	const struct hm_id *dest, *sender;
	const char *type;
	const char *const *headers; /* key, value, …, NULL */
	const struct hm_id *reply_to;
};
long hm_head_write(
    unsigned char p[HM_HEAD_MAX], const struct hm_head_source *src);
/* 0 and id filled, to the given depth. */
void hm_idref_copy(
    const struct hm_idref *ref, enum hm_id_depth depth, struct hm_id *id);

/* The envelope as the link layers see it. */
struct hm_envelope {
	unsigned char *payload; /* from malloc, or inside */
	size_t payload_len;
	size_t head_len;
	size_t head_room;	  /* bytes there are at head */
	unsigned char *head;	  /* in bytes, or from malloc once it grew */
	struct blocks *blocks;	  /* what the envelope is from; NULL: malloc */
	bool inside;		  /* payload is in bytes as well */
	bool anonymous;		  /* the sender is to be set by post */
	struct hm_envelope *next; /* whoever owns it may queue it */
	struct hm_source *source; /* where it came from, for its settlement */
	uint64_t number;	  /* its number there */
	uint32_t cost;		  /* credit it holds until it is settled */
	struct hm_source *taker;  /* of who is to take it; or NULL */
	void *owner;		  /* the proc layer's, for hm_settle */
	/* What this one goes on for, from another router: its payload is here,
	 * and what becomes of this one becomes of it. */
	struct hm_envelope *origin;
	unsigned char bytes[];
};

/* An envelope of a head that hm_head_read accepted, without its payload yet
 * (payload is NULL, payload_len 0). */
struct hm_envelope *hm_envelope_from_head(
    const unsigned char *head, size_t len);
/* The same, and at payload is room for so many bytes; a small one is in the
 * envelope itself. */
struct hm_envelope *hm_envelope_with_room(
    const unsigned char *head, size_t len, size_t room);
/* Another envelope of the same head, which takes the payload over (a small one
 * is copied); env is left without, for whoever frees it. */
struct hm_envelope *hm_envelope_take_over(struct hm_envelope *env);
/* Takes back what take_over took. */
void hm_envelope_give_back(struct hm_envelope *env, struct hm_envelope *copy);
/* For one that is kept for its head, to be answered and settled. */
void hm_envelope_drop_payload(struct hm_envelope *env);
/* Rewrites the sender.  0, or -1 EMSGSIZE, ENOMEM. */
int hm_envelope_set_sender(struct hm_envelope *env, const struct hm_id *sender);

#endif
