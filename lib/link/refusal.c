/*
 * Refusals.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "link/refusal.h"

size_t
bye_write(unsigned char *bytes, const char *why)
{
	struct hm_record rec = {0, HM_REC_BYE, 0, 0};
	size_t len = strlen(why);

	rec.len = (uint32_t)len + 2;
	hm_record_header(bytes, &rec);
	hm_put16(bytes + HM_RECORD_HEADER, (uint16_t)len);
	memcpy(bytes + HM_RECORD_HEADER + 2, why, len);
	return HM_RECORD_HEADER + rec.len;
}

size_t
refusal_write(unsigned char *bytes, const struct hm_error *why)
{
	char text[64 + HM_ERROR_TEXT];

	(void)snprintf(text, sizeof text, "%s: %s",
	    hm_error_kind_name(why->kind), why->text);
	return bye_write(bytes, text);
}

void
refusal_read(struct hm_error *err, const unsigned char *body)
{
	size_t len = hm_get16(body), n;
	char text[HM_ERROR_TEXT];
	char *colon;

	n = len < sizeof text ? len : sizeof text - 1;
	memcpy(text, body + 2, n);
	text[n] = '\0';
	colon = strstr(text, ": ");
	if (colon != NULL) {
		*colon = '\0';
		(void)hm_fail_kind(
		    err, hm_error_kind_of(text), EPERM, "%s", colon + 2);
	} else {
		(void)hm_fail(err, EPERM, "refused: %s", text);
	}
}

void
refusal_send(int fd, const struct hm_error *why)
{
	unsigned char bytes[REFUSAL_MAX];

	(void)send(fd, bytes, refusal_write(bytes, why), MSG_NOSIGNAL);
	/* What is closed with something unread is reset, and over TCP what it
	 * was told may go with that. */
	(void)!read(fd, bytes, sizeof bytes);
	(void)close(fd);
}
