/*
 * Small texts: durations, sizes, numbers, base64, UTF-8, and bytes made safe.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <hostmux/text.h>

static int
bad(struct hm_error *err, const char *what, const char *text, const char *why)
{
	char safe[100];

	return hm_fail(err, EINVAL, "%s: '%s' %s", what,
	    hm_text_safe(text, strlen(text), safe, sizeof safe), why);
}

int
hm_text_number(const char *text, const char *what, uint64_t min, uint64_t max,
    uint64_t *n, struct hm_error *err)
{
	char why[96];
	const char *p;
	uint64_t value = 0;

	for (p = text; *p >= '0' && *p <= '9'; p++) {
		if (value > (UINT64_MAX - (uint64_t)(*p - '0')) / 10)
			break;
		value = value * 10 + (uint64_t)(*p - '0');
	}
	if (p == text || *p != '\0' || value < min || value > max) {
		(void)snprintf(why, sizeof why,
		    "is not a number from %llu to %llu",
		    (unsigned long long)min, (unsigned long long)max);
		return bad(err, what, text, why);
	}
	*n = value;
	return 0;
}

/* "12" or "1.5" in thousandths; *end is behind it. -1: none, or too large. */
static int
thousandths(const char *text, uint64_t *n, const char **end)
{
	const char *p = text;
	uint64_t value = 0, unit = 100;

	for (; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (uint64_t)(*p - '0');
		if (value > UINT32_MAX)
			return -1;
	}
	if (p == text)
		return -1;
	value *= 1000;
	if (*p == '.') {
		if (p[1] < '0' || p[1] > '9')
			return -1;
		for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
			value += (uint64_t)(*p - '0') * unit;
	}
	*n = value;
	*end = p;
	return 0;
}

int
hm_text_duration(
    const char *text, const char *what, uint64_t *ms, struct hm_error *err)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {
	    {"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {"h", 3600000}};
	const char *end;
	uint64_t n;
	size_t i;

	if (thousandths(text, &n, &end) == 0) {
		for (i = 0; i < sizeof units / sizeof units[0]; i++) {
			if (strcmp(end, units[i].unit) == 0) {
				*ms = (n * units[i].ms + 999) / 1000;
				return 0;
			}
		}
	}
	return bad(err, what, text, "is not a duration (30s, 500ms, 2m)");
}

int
hm_text_size(
    const char *text, const char *what, uint64_t *bytes, struct hm_error *err)
{
	static const char units[] = "kMGT";
	const char *p = text, *unit = NULL;
	uint64_t n = 0;
	unsigned shift = 0;

	for (; *p >= '0' && *p <= '9' && n < UINT64_MAX / 100; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	if (p != text && *p != '\0')
		unit = strchr(units, *p == 'K' ? 'k' : *p);
	if (unit != NULL) {
		shift = 10 * (unsigned)(unit - units + 1);
		p++;
	}
	if (p == text || *p != '\0' || n > (UINT64_MAX >> 1) >> shift)
		return bad(err, what, text, "is not a size (64k, 1M, 10G)");
	*bytes = n << shift;
	return 0;
}

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t
hm_base64_size(size_t len)
{
	return (len + 2) / 3 * 4 + 1;
}

void
hm_base64_encode(const void *bytes, size_t len, char *out)
{
	const unsigned char *p = bytes;
	unsigned long n;

	for (; len > 0; p += 3) {
		n = (unsigned long)p[0] << 16;
		if (len > 1)
			n |= (unsigned long)p[1] << 8;
		if (len > 2)
			n |= p[2];
		*out++ = digits[n >> 18];
		*out++ = digits[n >> 12 & 63];
		*out++ = len > 1 ? digits[n >> 6 & 63] : '=';
		*out++ = len > 2 ? digits[n & 63] : '=';
		len -= len < 3 ? len : 3;
	}
	*out = '\0';
}

long
hm_base64_decode(const char *text, size_t len, void *out)
{
	unsigned char *q = out;
	unsigned long n = 0;
	size_t i, pad = 0;
	const char *d;

	if (len % 4 != 0)
		goto bad; /* also: text without its padding */
	for (i = 0; i < len; i++) {
		n <<= 6;
		if (text[i] == '=' && i + 2 >= len) {
			pad++;
		} else {
			d = text[i] == '\0' ? NULL : strchr(digits, text[i]);
			if (d == NULL || pad > 0)
				goto bad;
			n |= (unsigned long)(d - digits);
		}
		if (i % 4 == 3) {
			/* Bits that would be lost: not what encode wrote. */
			if (pad > 0 && (n & (pad == 1 ? 0xff : 0xffff)) != 0)
				goto bad;
			*q++ = (unsigned char)(n >> 16);
			*q++ = (unsigned char)(n >> 8);
			*q++ = (unsigned char)n;
			n = 0;
		}
	}
	return (long)(q - (unsigned char *)out) - (long)pad;
bad:
	errno = EINVAL;
	return -1;
}

size_t
hm_text_utf8_length(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	size_t n, i;
	unsigned low = 0x80, high = 0xbf;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n > len)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0; /* overlong */
	else if (p[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (i = 2; i < n; i++) {
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	}
	return n;
}

bool
hm_text_is_utf8(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	size_t n;

	for (; len > 0; p += n, len -= n) {
		n = hm_text_utf8_length(p, len);
		if (n == 0)
			return false;
	}
	return true;
}

/* Bytes of the character at p that may be printed as it is, 0 if it may not:
 * no character, or a control (U+0080 to U+009F make terminals do things too).
 */
static size_t
printable_length(const unsigned char *p, size_t len)
{
	size_t n = hm_text_utf8_length(p, len);

	if (n == 1 && (*p < ' ' || *p == 127 || *p == '\\'))
		return 0;
	return n == 2 && p[0] == 0xc2 && p[1] < 0xa0 ? 0 : n;
}

char *
hm_text_safe(const void *bytes, size_t len, char *out, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *p = bytes;
	size_t at = 0, n;

	/* Five bytes are the most that one step writes, with the NUL. */
	for (; len > 0 && at + 5 <= size; p += n, len -= n) {
		n = printable_length(p, len);
		memcpy(out + at, p, n);
		at += n;
		if (n > 0)
			continue;
		n = 1;
		out[at++] = '\\';
		if (*p == '\\') {
			out[at++] = '\\';
			continue;
		}
		out[at++] = 'x';
		out[at++] = hex[*p >> 4];
		out[at++] = hex[*p & 15];
	}
	out[at] = '\0';
	return out;
}
