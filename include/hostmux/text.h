/*
 * Small texts that people write: durations, sizes, numbers, base64, and bytes
 * made safe to print.
 */
#ifndef HOSTMUX_TEXT_H
#define HOSTMUX_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hostmux/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "30s" "500ms" "2m" "1h" "1.5s" or plain seconds, into milliseconds, rounded
 * up (0 often means for ever).  what names the thing in the sentence: "option
 * -t", "HYPERACTOR_…". */
int hm_text_duration(
    const char *text, const char *what, uint64_t *ms, struct hm_error *err);
/* "64k" "1M" "10G", powers of two, into bytes. */
int hm_text_size(
    const char *text, const char *what, uint64_t *bytes, struct hm_error *err);
/* A decimal in [min, max], digits only. */
int hm_text_number(const char *text, const char *what, uint64_t min,
    uint64_t max, uint64_t *n, struct hm_error *err);
/* Digits of n bytes; out has room for hm_base64_size(len) with the NUL. */
size_t hm_base64_size(size_t len);
void hm_base64_encode(const void *bytes, size_t len, char *out);
/* Strict; out has room for len * 3 / 4 + 3; -1 EINVAL, else the length. */
long hm_base64_decode(const char *text, size_t len, void *out);
/* Control bytes and what is not UTF-8 as \xNN, and backslash as \\; always
 * NUL-terminated, cut between characters to fit size > 0; returns out. */
char *hm_text_safe(const void *bytes, size_t len, char *out, size_t size);
bool hm_text_is_utf8(const void *bytes, size_t len);
/* Bytes of the character at the front of len > 0 bytes, 0 if it is none. */
size_t hm_text_utf8_length(const void *bytes, size_t len);

#ifdef __cplusplus
}
#endif
#endif
