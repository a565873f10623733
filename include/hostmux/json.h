/*
 * JSON, small: a reader that makes a tree in one arena, and a writer that
 * appends to a growing buffer.  Both are strict (RFC 8259, UTF-8) and bounded:
 * nesting 32, 256 members of an object, the input's length the caller's.
 */
#ifndef HOSTMUX_JSON_H
#define HOSTMUX_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hostmux/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hm_json_type {
	HM_JSON_NULL,
	HM_JSON_BOOL,
	HM_JSON_NUMBER,
	HM_JSON_STRING,
	HM_JSON_ARRAY,
	HM_JSON_OBJECT
};

struct hm_json {
	enum hm_json_type type;
	const char *key;    /* in an object, NUL-terminated; else NULL */
	const char *string; /* STRING: bytes, NUL-terminated, may hold NULs;
			       NUMBER: the digits as they stood */
	size_t len;	    /* of string; elements of ARRAY and OBJECT */
	bool boolean;
	double number;
	struct hm_json *child; /* first element */
	struct hm_json *next;  /* next sibling */
};

/*
 * Reads exactly one value from text.  NULL with a sentence in err that says
 * where ("json: byte 17: …"; EINVAL, ENOMEM).  Duplicate keys are an error.
 * Free with hm_json_free (NULL is harmless).
 */
struct hm_json *hm_json_parse(
    const char *text, size_t len, struct hm_error *err);
void hm_json_free(struct hm_json *value);
/* The member of that name, NULL if there is none or value is no object. */
const struct hm_json *hm_json_get(const struct hm_json *value, const char *key);
/* The member's string, or fallback if it is missing, no string, or holds a
 * NUL. */
const char *hm_json_string(
    const struct hm_json *value, const char *key, const char *fallback);
/* Whole numbers 0..2^64-1 exactly; 0, or -1 (missing or not one). */
int hm_json_u64(const struct hm_json *value, const char *key, uint64_t *out);
double hm_json_double(
    const struct hm_json *value, const char *key, double fallback);
bool hm_json_bool(const struct hm_json *value, const char *key, bool fallback);

/*
 * The writer.  Zero-initialise (or hm_json_out_init); commas are set by
 * itself.  An allocation that fails is remembered: hm_json_out_take then gives
 * NULL.  "key" is NULL inside arrays and at the top.
 */
struct hm_json_out {
	char *buf;
	size_t len, cap;
	bool comma;
	bool failed;
};

void hm_json_out_init(struct hm_json_out *out);
/* The same, and opens an object. */
void hm_json_begin(struct hm_json_out *out);
void hm_json_out_fini(struct hm_json_out *out);
void hm_json_open(struct hm_json_out *out, const char *key, char bracket);
void hm_json_close(struct hm_json_out *out, char bracket);
/* Bytes that are not UTF-8 become U+FFFD. */
void hm_json_put_string(
    struct hm_json_out *out, const char *key, const char *text);
void hm_json_put_bytes(
    struct hm_json_out *out, const char *key, const void *bytes, size_t len);
void hm_json_put_u64(struct hm_json_out *out, const char *key, uint64_t n);
void hm_json_put_i64(struct hm_json_out *out, const char *key, int64_t n);
/* With three decimals at most, no exponent; null from 1e15 on. */
void hm_json_put_double(struct hm_json_out *out, const char *key, double n);
void hm_json_put_bool(struct hm_json_out *out, const char *key, bool b);
void hm_json_put_null(struct hm_json_out *out, const char *key);
/* text is JSON already (trusted), put as it is. */
void hm_json_put_raw(
    struct hm_json_out *out, const char *key, const char *text, size_t len);
/* A whole parsed value, written again. */
void hm_json_put_value(
    struct hm_json_out *out, const char *key, const struct hm_json *value);
/* The buffer, NUL-terminated, now the caller's (free it); NULL and ENOMEM.
 * *len may be NULL. */
char *hm_json_out_take(struct hm_json_out *out, size_t *len);

#ifdef __cplusplus
}
#endif
#endif
