/*
 * Durations, sizes, numbers, base64, UTF-8, and bytes made safe.
 */
#include <errno.h>
#include <string.h>

#include <hostmux/text.h>

#include "check.h"

static uint64_t
duration(const char *text)
{
	uint64_t ms;

	return hm_text_duration(text, "-t", &ms, NULL) == 0 ? ms : UINT64_MAX;
}

static uint64_t
size_of(const char *text)
{
	uint64_t n;

	return hm_text_size(text, "LINK_WINDOW", &n, NULL) == 0 ? n
								: UINT64_MAX;
}

static void
test_durations(void)
{
	static const char *const refused[] = {"", "s", "-1s", "+1", " 1", "1 s",
	    "1x", "1.", ".5s", "1..5s", "1sec", "5000000000", "1e3", "1s ",
	    "0x10", "1.5.1"};
	struct hm_error err;
	uint64_t ms;
	size_t i;

	CHECK(duration("30s") == 30000 && duration("30") == 30000);
	CHECK(duration("500ms") == 500 && duration("2m") == 120000);
	CHECK(duration("1h") == 3600000 && duration("1.5s") == 1500);
	CHECK(duration("0") == 0 && duration("0.001") == 1);
	CHECK(duration("1.23456789m") == 74040);
	/* Nothing that is more than 0 becomes "for ever". */
	CHECK(duration("0.5ms") == 1 && duration("0.001ms") == 1);
	CHECK(duration("4294967295h") == 4294967295u * (uint64_t)3600000);
	for (i = 0; i < sizeof refused / sizeof refused[0]; i++)
		CHECK(duration(refused[i]) == UINT64_MAX);
	CHECK(hm_text_duration("1\n", "option -t", &ms, &err) == -1);
	CHECK(errno == EINVAL && err.code == EINVAL);
	CHECK(strcmp(err.text, "option -t: '1\\x0a' is not a duration "
			       "(30s, 500ms, 2m)") == 0);
}

static void
test_sizes(void)
{
	static const char *const refused[] = {"", "k", "-1", "1kk", "1.5M",
	    "1KB", "99999999999999999999", "9999999999G", "1 k", "k1"};
	size_t i;

	CHECK(size_of("0") == 0 && size_of("123") == 123);
	CHECK(size_of("64k") == 65536 && size_of("64K") == 65536);
	CHECK(size_of("1M") == 1 << 20);
	CHECK(size_of("10G") == (uint64_t)10 << 30);
	CHECK(size_of("2T") == (uint64_t)2 << 40);
	CHECK(size_of("10737418240") == (uint64_t)10 << 30);
	CHECK(size_of("107374182400") == (uint64_t)100 << 30);
	CHECK(size_of("007") == 7);
	for (i = 0; i < sizeof refused / sizeof refused[0]; i++)
		CHECK(size_of(refused[i]) == UINT64_MAX);
}

static void
test_numbers(void)
{
	struct hm_error err;
	uint64_t n = 5;

	CHECK(hm_text_number(
		  "18446744073709551615", "x", 0, UINT64_MAX, &n, NULL) == 0 &&
	      n == UINT64_MAX);
	CHECK(hm_text_number(
		  "18446744073709551616", "x", 0, UINT64_MAX, &n, NULL) == -1);
	CHECK(hm_text_number(
		  "99999999999999999999", "x", 0, UINT64_MAX, &n, NULL) == -1);
	CHECK(hm_text_number("", "x", 0, 9, &n, NULL) == -1);
	CHECK(hm_text_number("-1", "x", 0, 9, &n, NULL) == -1);
	CHECK(hm_text_number("1a", "x", 0, 9, &n, NULL) == -1);
	CHECK(hm_text_number("10", "-j", 1, 9, &n, &err) == -1);
	CHECK(strcmp(err.text, "-j: '10' is not a number from 1 to 9") == 0);
	CHECK(n == UINT64_MAX);
}

static void
test_base64(void)
{
	static const char *const refused[] = {"A", "AA", "AAA",
	    "A===", "====", "=AAA", "AA=A", "A=AA", "AAA*",
	    "AAAA=", "AB==", "AAB=", "AA\n=", "AAAAA===", "AA==AAAA"};
	unsigned char bytes[100], back[100];
	char text[200];
	size_t i, n;

	hm_base64_encode("foobar", 6, text);
	CHECK(strcmp(text, "Zm9vYmFy") == 0);
	hm_base64_encode("fooba", 5, text);
	CHECK(strcmp(text, "Zm9vYmE=") == 0);
	hm_base64_encode("foob", 4, text);
	CHECK(strcmp(text, "Zm9vYg==") == 0);
	for (n = 0; n < sizeof bytes; n++) {
		for (i = 0; i < n; i++)
			bytes[i] = (unsigned char)check_random(256);
		hm_base64_encode(bytes, n, text);
		CHECK(strlen(text) + 1 == hm_base64_size(n));
		CHECK(hm_base64_decode(text, strlen(text), back) == (long)n);
		CHECK(n == 0 || memcmp(bytes, back, n) == 0);
	}
	for (i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		n = strlen(refused[i]);
		CHECK(hm_base64_decode(refused[i], n, back) == -1);
		CHECK(errno == EINVAL);
	}
	CHECK(hm_base64_decode("AA\0A", 4, back) == -1);
}

static bool
utf8(const char *text)
{
	return hm_text_is_utf8(text, strlen(text));
}

static void
test_utf8(void)
{
	CHECK(utf8("") && utf8("plain") && utf8("\xc2\x80\xdf\xbf"));
	CHECK(utf8("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"));
	CHECK(utf8("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
	CHECK(!utf8("\x80") && !utf8("\xbf") && !utf8("\xff"));
	CHECK(!utf8("\xc0\xaf") && !utf8("\xc1\xbf") && !utf8("\xc2"));
	CHECK(!utf8("\xe0\x9f\xbf") && !utf8("\xe2\x82"));
	CHECK(!utf8("\xed\xa0\x80") && !utf8("\xed\xbf\xbf"));
	CHECK(!utf8("\xf0\x8f\xbf\xbf") && !utf8("\xf4\x90\x80\x80"));
	CHECK(!utf8("\xf5\x80\x80\x80") && !utf8("\xf0\x90\x80"));
	CHECK(!utf8("a\xc3(") && !utf8("\xe2\x28\xa1"));
	CHECK(hm_text_is_utf8("a\0b", 3));
}

/* One character at a time, and never past the end. */
static void
test_characters(void)
{
	CHECK(hm_text_utf8_length("a", 1) == 1);
	CHECK(hm_text_utf8_length("\0", 1) == 1);
	CHECK(hm_text_utf8_length("\xc3\xa9x", 3) == 2);
	CHECK(hm_text_utf8_length("\xe2\x82\xac", 3) == 3);
	CHECK(hm_text_utf8_length("\xf0\x9f\x98\x80z", 5) == 4);
	CHECK(hm_text_utf8_length("\xf0\x9f\x98\x80", 3) == 0);
	CHECK(hm_text_utf8_length("\xc3\xa9", 1) == 0);
	CHECK(hm_text_utf8_length("\xed\xa0\x80", 3) == 0);
	CHECK(hm_text_utf8_length("\x80x", 2) == 0);
}

static bool
safe_is(const char *text, size_t size, const char *want)
{
	char *out = malloc(size);
	bool same;

	CHECK(out != NULL);
	same = strcmp(hm_text_safe(text, strlen(text), out, size), want) == 0;
	free(out);
	return same;
}

static void
test_safe(void)
{
	CHECK(safe_is("plain", 100, "plain"));
	CHECK(safe_is("a\tb\n\x7f\\", 100, "a\\x09b\\x0a\\x7f\\\\"));
	CHECK(safe_is("\xc3\xa9\xff\xc3", 100, "\xc3\xa9\\xff\\xc3"));
	CHECK(safe_is("\xc2\x9b[31m\xc2\xa0", 100, "\\xc2\\x9b[31m\xc2\xa0"));
	CHECK(safe_is("abcdefgh", 1, ""));
	CHECK(safe_is("abcdefgh", 8, "abcd"));
	CHECK(safe_is("a\n", 5, "a") && safe_is("a\n", 6, "a\\x0a"));
}

int
main(void)
{
	test_durations();
	test_sizes();
	test_numbers();
	test_base64();
	test_utf8();
	test_characters();
	test_safe();
	return 0;
}
