/*
 * JSON: what is read, what is refused and where, what is written; what was
 * written is read as the same.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include <hostmux/json.h>

#include "check.h"

/* From exactly len bytes, so that a byte more would be noticed. */
static struct hm_json *
parse_bytes(const char *text, size_t len, struct hm_error *err)
{
	char *copy = calloc(1, len > 0 ? len : 1);
	struct hm_json *json;

	CHECK(copy != NULL);
	memcpy(copy, text, len);
	json = hm_json_parse(copy, len, err);
	free(copy);
	return json;
}

static struct hm_json *
parse(const char *text)
{
	return parse_bytes(text, strlen(text), NULL);
}

/* text, written again from what was read. */
static char *
rewrite(const char *text, size_t len)
{
	struct hm_json *json = parse_bytes(text, len, NULL);
	struct hm_json_out out;
	char *again;

	if (json == NULL)
		return NULL;
	hm_json_out_init(&out);
	hm_json_put_value(&out, NULL, json);
	hm_json_free(json);
	again = hm_json_out_take(&out, NULL);
	CHECK(again != NULL);
	return again;
}

static void
test_rewritten(void)
{
	static const char *const texts[][2] = {
	    {"null", "null"},
	    {" true\n", "true"},
	    {"[ ]", "[]"},
	    {"{\t}", "{}"},
	    {"[1, [2,{\"a\" : false}] ,\"\"]", "[1,[2,{\"a\":false}],\"\"]"},
	    {"{\"a\":1,\"b\":{\"a\":2}}", "{\"a\":1,\"b\":{\"a\":2}}"},
	    {"-0.50e+10", "-0.50e+10"},
	    {"123456789012345678901234567890",
		"123456789012345678901234567890"},
	    {"\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"",
		"\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
	    {"\"\\uD83D\\uDE00\"", "\"\xf0\x9f\x98\x80\""},
	    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
	    {"\"\\u0000\\u001f\\u007f\"", "\"\\u0000\\u001f\\u007f\""},
	    {"\",[{\"", "\",[{\""},
	    {"[\"\\\\\",1]", "[\"\\\\\",1]"},
	    {"[\"\\\",\",1]", "[\"\\\",\",1]"},
	    {"{\"\":1}", "{\"\":1}"},
	};
	char *again;
	size_t i;

	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		again = rewrite(texts[i][0], strlen(texts[i][0]));
		CHECK(again != NULL && strcmp(again, texts[i][1]) == 0);
		free(again);
	}
}

static void
test_refused(void)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
	    {"", "json: byte 1: ends too early"},
	    {"  ", "json: byte 3: ends too early"},
	    {"x", "json: byte 1: a value wanted"},
	    {"nul", "json: byte 1: a value wanted"},
	    {"trueish", "json: byte 5: something behind the value"},
	    {"1 2", "json: byte 3: something behind the value"},
	    {"[1", "json: byte 3: ',' or the end of a list wanted"},
	    {"[1 2]", "json: byte 4: ',' or the end of a list wanted"},
	    {"[1,]", "json: byte 4: a value wanted"},
	    {"[,1]", "json: byte 2: a value wanted"},
	    {"[1}", "json: byte 3: ',' or the end of a list wanted"},
	    {"]", "json: byte 1: a value wanted"},
	    {"{", "json: byte 2: a string wanted"},
	    {"{1:2}", "json: byte 2: a string wanted"},
	    {"{\"a\"}", "json: byte 5: ':' wanted"},
	    {"{\"a\":}", "json: byte 6: a value wanted"},
	    {"{\"a\":1,}", "json: byte 8: a string wanted"},
	    {"{\"a\":1,\"a\":2}", "json: byte 11: the same key again"},
	    {"{\"a\":1,\"\\u0061\":2}", "json: byte 16: the same key again"},
	    {"{\"a\\u0000\":1}", "json: byte 11: a NUL in a key"},
	    {"\"abc", "json: byte 5: an unfinished string"},
	    {"\"\\", "json: byte 3: an unfinished string"},
	    {"\"\\\"", "json: byte 4: an unfinished string"},
	    {"\"\\x\"", "json: byte 3: an unknown escape"},
	    {"\"a\nb\"", "json: byte 3: a control byte in a string"},
	    {"\"\\u12\"", "json: byte 6: four hex digits wanted"},
	    {"\"\\u12g4\"", "json: byte 6: four hex digits wanted"},
	    {"\"\\ud83d\"", "json: byte 8: half of a surrogate pair"},
	    {"\"\\ud83d\\n\"", "json: byte 8: half of a surrogate pair"},
	    {"\"\\ud83d\\u0041\"", "json: byte 14: half of a surrogate pair"},
	    {"\"\\ud83d\\ue000\"", "json: byte 14: half of a surrogate pair"},
	    {"\"\\ude00\"", "json: byte 8: half of a surrogate pair"},
	    {"\"\xff\"", "json: byte 2: not UTF-8"},
	    {"\"\xed\xa0\x80\"", "json: byte 2: not UTF-8"},
	    {"\"\xc0\xaf\"", "json: byte 2: not UTF-8"},
	    {"\"a\xc3\"", "json: byte 3: not UTF-8"},
	    {"01", "json: byte 1: a number that begins with 0"},
	    {"-", "json: byte 2: a digit wanted"},
	    {"+1", "json: byte 1: a value wanted"},
	    {".5", "json: byte 1: a value wanted"},
	    {"1.", "json: byte 3: a digit wanted"},
	    {"1e", "json: byte 3: a digit wanted"},
	    {"1e+", "json: byte 4: a digit wanted"},
	    {"1e400", "json: byte 6: a number out of range"},
	    {"-1e99999999999999999999", "json: byte 24: a number out of range"},
	    {"\xef\xbb\xbf{}", "json: byte 1: a value wanted"},
	};
	struct hm_error err;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CHECK(parse_bytes(cases[i].text, strlen(cases[i].text), &err) ==
		      NULL);
		CHECK(errno == EINVAL && err.code == EINVAL);
		if (strcmp(err.text, cases[i].sentence) != 0)
			fprintf(stderr, "%s\nbut: %s\n", cases[i].sentence,
			    err.text);
		CHECK(strcmp(err.text, cases[i].sentence) == 0);
	}
	CHECK(parse_bytes("1\0", 2, &err) == NULL);
	CHECK(parse_bytes("[\0]", 3, &err) == NULL);
	CHECK(parse_bytes("\"\\\0\"", 4, &err) == NULL);
	CHECK(parse_bytes("\"\\u00\0\0\"", 8, &err) == NULL);
}

static void
test_bounds(void)
{
	char text[4096];
	struct hm_json *json;
	size_t n;
	int i;

	for (i = 32; i <= 33; i++) {
		memset(text, '[', (size_t)i);
		memset(text + i, ']', (size_t)i);
		json = parse_bytes(text, 2 * (size_t)i, NULL);
		CHECK((json != NULL) == (i == 32));
		hm_json_free(json);
	}
	memset(text, '[', sizeof text);
	CHECK(parse_bytes(text, sizeof text, NULL) == NULL);
	memset(text, '{', sizeof text);
	CHECK(parse_bytes(text, sizeof text, NULL) == NULL);
	for (i = 256; i <= 257; i++) {
		text[0] = '{';
		for (n = 1; n < 9 * (size_t)i; n += 9)
			(void)snprintf(
			    text + n, 10, "\"%04x\":1,", (unsigned)n & 0xffff);
		text[n - 1] = '}';
		json = parse_bytes(text, n, NULL);
		CHECK((json != NULL) == (i == 256));
		CHECK(json == NULL || json->len == 256);
		hm_json_free(json);
	}
}

static double
number(const char *text)
{
	struct hm_json *json = parse(text);
	double n;

	CHECK(json != NULL && json->type == HM_JSON_NUMBER);
	CHECK(strcmp(json->string, text) == 0 && json->len == strlen(text));
	n = json->number;
	hm_json_free(json);
	return n;
}

static bool
close_to(double a, double b)
{
	return fabs(a - b) <= fabs(b) * 1e-13;
}

static void
test_numbers(void)
{
	char text[3000];

	CHECK(number("0") == 0 && number("-0") == 0 && number("0e999") == 0);
	CHECK(number("1764252000.123") == 1764252000.123);
	CHECK(number("-1.5") == -1.5 && number("1e3") == 1000);
	CHECK(number("0.1") == 0.1 && number("1E-3") == 0.001);
	CHECK(number("9007199254740993") == 9007199254740993.0);
	CHECK(close_to(number("1.7e308"), 1.7e308));
	CHECK(close_to(number("2.5e-300"), 2.5e-300));
	CHECK(number("1e-400") == 0 && number("1e-99999999999") == 0);
	CHECK(close_to(
	    number("123456789012345678901234567890"), 1.2345678901234568e29));
	CHECK(
	    close_to(number("0.00000000000000000000000000000000000001e38"), 1));
	/* 1 and 300 noughts; 0.(2000 noughts)1; 0.(2000 nines). */
	memset(text, '0', sizeof text);
	text[0] = '1';
	text[301] = '\0';
	CHECK(close_to(number(text), 1e300));
	memset(text, '0', sizeof text);
	memcpy(text, "0.", 2);
	memcpy(text + 2002, "1", 2);
	CHECK(number(text) == 0);
	memset(text + 2, '9', 2000);
	text[2002] = '\0';
	CHECK(close_to(number(text), 1));
	memset(text, '1', 400);
	text[400] = '\0';
	CHECK(parse(text) == NULL);
}

static void
test_members(void)
{
	struct hm_json *json = parse("{\"s\":\"x\",\"n\":18446744073709551615,"
				     "\"o\":18446744073709551616,\"f\":1.5,"
				     "\"e\":1e3,\"m\":-1,\"b\":true,"
				     "\"z\":\"a\\u0000b\",\"a\":[1,2,3],"
				     "\"l\":null}");
	uint64_t n = 7;

	CHECK(json != NULL && json->len == 10 && json->key == NULL);
	CHECK(strcmp(hm_json_string(json, "s", "-"), "x") == 0);
	CHECK(strcmp(hm_json_string(json, "z", "-"), "-") == 0);
	CHECK(hm_json_get(json, "z")->len == 3);
	CHECK(strcmp(hm_json_string(json, "n", "-"), "-") == 0);
	CHECK(hm_json_string(json, "none", NULL) == NULL);
	CHECK(hm_json_u64(json, "n", &n) == 0 && n == UINT64_MAX);
	CHECK(hm_json_u64(json, "o", &n) == -1);
	CHECK(hm_json_u64(json, "f", &n) == -1);
	CHECK(hm_json_u64(json, "e", &n) == -1);
	CHECK(hm_json_u64(json, "m", &n) == -1);
	CHECK(hm_json_u64(json, "s", &n) == -1 && n == UINT64_MAX);
	CHECK(hm_json_double(json, "f", 0) == 1.5);
	CHECK(hm_json_double(json, "s", 9) == 9);
	CHECK(hm_json_bool(json, "b", false) && hm_json_bool(json, "s", true));
	CHECK(hm_json_get(json, "a")->len == 3);
	CHECK(hm_json_get(json, "a")->child->next->next->number == 3);
	CHECK(hm_json_get(json, "l")->type == HM_JSON_NULL);
	CHECK(hm_json_get(hm_json_get(json, "a"), "x") == NULL);
	CHECK(hm_json_get(NULL, "x") == NULL);
	hm_json_free(json);
	hm_json_free(NULL);
}

static void
test_written(void)
{
	struct hm_json_out out;
	size_t len;
	char *text;

	hm_json_out_init(&out);
	hm_json_open(&out, NULL, '{');
	hm_json_put_string(&out, "s\"",
	    "\xff"
	    "a\xed\xa0\x80\x01/");
	hm_json_put_bytes(&out, "z", "a\0b", 3);
	hm_json_put_u64(&out, "u", UINT64_MAX);
	hm_json_put_i64(&out, "i", INT64_MIN);
	hm_json_open(&out, "d", '[');
	hm_json_put_double(&out, NULL, 0);
	hm_json_put_double(&out, NULL, -1.5);
	hm_json_put_double(&out, NULL, 1764252000.1234);
	hm_json_put_double(&out, NULL, 0.9996);
	hm_json_put_double(&out, NULL, -0.0001);
	hm_json_put_double(&out, NULL, 100);
	hm_json_put_double(&out, NULL, 999999999999999.0);
	hm_json_put_double(&out, NULL, 1e15);
	hm_json_put_double(&out, NULL, (double)NAN);
	hm_json_put_double(&out, NULL, (double)-INFINITY);
	hm_json_close(&out, ']');
	hm_json_open(&out, "e", '{');
	hm_json_close(&out, '}');
	hm_json_put_bool(&out, "b", true);
	hm_json_put_raw(&out, "r", "[1]", 3);
	hm_json_put_null(&out, "n");
	hm_json_close(&out, '}');
	text = hm_json_out_take(&out, &len);
	CHECK(text != NULL && strlen(text) == len);
	CHECK(strcmp(text,
		  "{\"s\\\"\":\"\xef\xbf\xbd"
		  "a\xef\xbf\xbd\xef\xbf\xbd"
		  "\xef\xbf\xbd\\u0001/\",\"z\":\"a\\u0000b\","
		  "\"u\":18446744073709551615,\"i\":-9223372036854775808,"
		  "\"d\":[0,-1.5,1764252000.123,1,0,100,999999999999999,"
		  "null,null,null],\"e\":{},\"b\":true,\"r\":[1],"
		  "\"n\":null}") == 0);
	free(text);
	text = hm_json_out_take(&out, &len); /* again, empty */
	CHECK(text != NULL && len == 0 && text[0] == '\0');
	free(text);
	hm_json_put_u64(&out, NULL, 1);
	out.failed = true;
	hm_json_put_u64(&out, NULL, 2);
	CHECK(hm_json_out_take(&out, &len) == NULL && errno == ENOMEM);
	hm_json_out_fini(&out);
	hm_json_out_fini(&out);
}

/* Whatever is read is written as something that is read as the same. */
static void
test_any(void)
{
	static const char bytes[] = "{}[]\",:\\u0d8e1-.eE+tfn \n\xc3\xa9";
	static const char *const seeds[] = {
	    "{\"a\":[1,2.5e3,\"x\\ud83d\\ude00\"],\"b\":{\"c\":null}}",
	    "[true,false,{\"\":-0.1},[[],{}],\"\\\\\\\"\"]"};
	char text[128], *once, *twice;
	unsigned n, i;

	for (n = 0; n < 300000; n++) {
		(void)snprintf(text, sizeof text, "%s", seeds[n % 2]);
		for (i = check_random(5); i > 0; i--)
			text[check_random((unsigned)strlen(text))] =
			    bytes[check_random(sizeof bytes - 1)];
		once = rewrite(
		    text, strlen(text) - (check_random(8) == 0 ? 3 : 0));
		if (once == NULL)
			continue;
		twice = rewrite(once, strlen(once));
		CHECK(twice != NULL && strcmp(once, twice) == 0);
		free(once);
		free(twice);
	}
}

int
main(void)
{
	test_rewritten();
	test_refused();
	test_bounds();
	test_numbers();
	test_members();
	test_written();
	test_any();
	return 0;
}
