/*
 * An envelope: one message, whole.  It keeps its head as it stands on the wire
 * (so that sending copies bytes and nothing else) and its payload; accessors
 * read them.  An envelope has one owner; whoever takes it says so.
 */
#ifndef HOSTMUX_ENVELOPE_H
#define HOSTMUX_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hostmux/error.h>
#include <hostmux/id.h>
#include <hostmux/json.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HM_TYPE_MAX 64	  /* bytes of a message type */
#define HM_HEADERS_MAX 16 /* headers of a message */
#define HM_HEAD_MAX 2048  /* bytes of a head on the wire */
#define HM_UID_UNKNOWN UINT32_MAX

/* What became of a message. */
enum hm_outcome {
	HM_DELIVERED,
	HM_NOT_SENT,
	HM_REFUSED,
	HM_TIMED_OUT,
	HM_UNKNOWN
};
/* "delivered" "not sent" "refused" "timed out" "unknown" */
const char *hm_outcome_name(enum hm_outcome outcome);
/* -1 if there is none of that name. */
int hm_outcome_of(const char *name);

/* What whoever is given a message answers. */
enum hm_taken { HM_NO = -1, HM_TAKEN = 0, HM_LATER = 1 };

/* The header of an answer that is none: why not. */
#define HM_HEADER_REFUSED "refused"

/* Bytes that belong to somebody else. */
struct hm_slice {
	const char *p;
	size_t n;
};

/* Flags of an envelope. */
#define HM_ENV_REMOTE 0x01u /* came by TCP somewhere (vouched) */
#define HM_ENV_NOW 0x02u    /* no retrying where there is no way */
#define HM_ENV_LASTING                                                      \
	0x04u		    /* settled only when what it waits for happens: \
			       flush does not wait for it */
#define HM_ENV_RETURN 0x08u /* is itself a returned message */

struct hm_envelope;

/* What an envelope is made from; strings are copied. */
struct hm_draft {
	const struct hm_id *sender; /* NULL: the posting actor, set by post */
	const struct hm_id *dest;
	const char *type;	      /* NULL: "application/octet-stream" */
	unsigned ttl;		      /* 0: 64; 255 at most */
	unsigned flags;		      /* HM_ENV_NOW, HM_ENV_LASTING */
	const struct hm_id *reply_to; /* NULL: none */
	const char *const *headers;   /* key, value, …, NULL; or NULL */
};

/* NULL with a sentence: EINVAL (a name, a type, a key), EMSGSIZE (the head),
 * ENOMEM.  The payload is copied. */
struct hm_envelope *hm_envelope_new(const struct hm_draft *draft,
    const void *payload, size_t len, struct hm_error *err);
/* As new, but takes payload, which came from malloc (on success only). */
struct hm_envelope *hm_envelope_wrap(const struct hm_draft *draft,
    void *payload, size_t len, struct hm_error *err);
/* Another message with the head of model, which was made and never posted: for
 * whoever sends many.  The payload is copied.  NULL: ENOMEM. */
struct hm_envelope *hm_envelope_like(
    const struct hm_envelope *model, const void *payload, size_t len);
/* NULL is harmless. */
void hm_envelope_free(struct hm_envelope *env);

const void *hm_payload(const struct hm_envelope *env);
size_t hm_payload_len(const struct hm_envelope *env);
/* Whole ids are copied out. */
void hm_envelope_sender(const struct hm_envelope *env, struct hm_id *id);
void hm_envelope_dest(const struct hm_envelope *env, struct hm_id *id);
uint64_t hm_envelope_port(const struct hm_envelope *env); /* of dest */
unsigned hm_envelope_ttl(const struct hm_envelope *env);
unsigned hm_envelope_flags(const struct hm_envelope *env);
struct hm_slice hm_envelope_type(const struct hm_envelope *env);
bool hm_envelope_type_is(const struct hm_envelope *env, const char *type);
/* uid and pid that the first host vouched for; HM_UID_UNKNOWN, 0 otherwise. */
uint32_t hm_envelope_uid(const struct hm_envelope *env);
uint32_t hm_envelope_pid(const struct hm_envelope *env);
/* A header's value; p is NULL if there is none. */
struct hm_slice hm_envelope_header(
    const struct hm_envelope *env, const char *key);
/* The i-th header; false past the last. */
bool hm_envelope_header_at(const struct hm_envelope *env, size_t i,
    struct hm_slice *key, struct hm_slice *value);
/* true and the id, when there is a reply-to that is a port id. */
bool hm_envelope_reply_to(const struct hm_envelope *env, struct hm_id *id);

/* Errors that a returned message gathered; the last one decides.  A reason
 * that does not fit is cut. */
int hm_envelope_add_error(struct hm_envelope *env, enum hm_outcome kind,
    const char *reason, const char *at);
size_t hm_envelope_errors(const struct hm_envelope *env);
bool hm_envelope_error_at(const struct hm_envelope *env, size_t i,
    enum hm_outcome *kind, struct hm_slice *reason, struct hm_slice *at);

/*
 * The textual form, one JSON object without newline.  Payload that is not
 * UTF-8 goes as payload_base64.  hm_envelope_print appends to out.
 */
void hm_envelope_print(const struct hm_envelope *env, struct hm_json_out *out);
/* Reads what print wrote into a new message: dest may be missing, or without
 * its address, where fallback_dest is not NULL; everything else may be missing.
 * Post sets the sender; errors and what was vouched for are dropped.  NULL with
 * a sentence, as for new. */
struct hm_envelope *hm_envelope_read(const char *text, size_t len,
    const struct hm_id *fallback_dest, struct hm_error *err);

#ifdef __cplusplus
}
#endif
#endif
