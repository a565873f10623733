/*
 * A BYE that is no link's own: a refusal comes instead of a greeting, "Kind:
 * sentence", the other one behind it.
 */
#ifndef HM_REFUSAL_H
#define HM_REFUSAL_H

#include <stddef.h>

#include <hostmux/error.h>

#include "wire/record.h"

#define REFUSAL_MAX (HM_RECORD_HEADER + 2 + 64 + HM_ERROR_TEXT)

/* The whole record into bytes (REFUSAL_MAX); its length. */
size_t bye_write(unsigned char *bytes, const char *why);
size_t refusal_write(unsigned char *bytes, const struct hm_error *why);
/* Its body into kind and sentence. */
void refusal_read(struct hm_error *err, const unsigned char *body);
/* Takes fd, which nobody has spoken on yet: it is told why, and closed. */
void refusal_send(int fd, const struct hm_error *why);

#endif
