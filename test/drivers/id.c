/*
 * Ids: reading and printing are exact inverses; the order is total, and by
 * component.
 */
#include <errno.h>
#include <string.h>

#include <hostmux/id.h>

#include "check.h"

#define HOST "unix:/run/h/front"

static struct hm_id
parse(const char *text)
{
	struct hm_id id;

	CHECK(hm_id_parse(&id, text, NULL) == 0);
	return id;
}

static void
test_parse(void)
{
	struct hm_id id = parse(HOST ",w1");
	char text[HM_ID_TEXT];

	CHECK(id.depth == HM_ID_PROC && strcmp(id.addr, HOST) == 0 &&
	      strcmp(id.proc, "w1") == 0 && id.actor[0] == '\0');
	id = parse(HOST ",w1,agent");
	CHECK(id.depth == HM_ID_ACTOR && id.index == 0);
	CHECK(strcmp(hm_id_print(&id, text, sizeof text),
		  HOST ",w1,agent[0]") == 0);
	id = parse("tcp:[::1]:7,w_1.a-b,agent[18446744073709551615][1027]");
	CHECK(id.depth == HM_ID_PORT && id.index == UINT64_MAX);
	CHECK(id.port == 1027 && strcmp(id.addr, "tcp:[::1]:7") == 0);
	id = parse("ipc:///x,w1"); /* canonical: never printed like this */
	CHECK(strcmp(id.addr, "unix:/x") == 0);
}

static void
test_refused(void)
{
	static const char *const texts[][2] = {
	    {"x", "id 'x': no proc name"},
	    {"", "id '': no proc name"},
	    {HOST ",", "id '" HOST ",': no proc name"},
	    {HOST ",-w", "id '" HOST ",-w': bad proc name"},
	    {HOST ",w 1", "id '" HOST ",w 1': bad proc name"},
	    {HOST ",w1[0]", "id '" HOST ",w1[0]': bad proc name"},
	    {HOST ",w1,", "id '" HOST ",w1,': no actor name"},
	    {HOST ",w1,.a", "id '" HOST ",w1,.a': bad actor name"},
	    {HOST ",w1,a[01]",
		"id '" HOST ",w1,a[01]': not a number between [ and ]"},
	    {HOST ",w1,a[]",
		"id '" HOST ",w1,a[]': not a number between [ and ]"},
	    {HOST ",w1,a[1",
		"id '" HOST ",w1,a[1': not a number between [ and ]"},
	    {HOST ",w1,a[18446744073709551616]",
		"id '" HOST ",w1,a[18446744073709551616]': "
		"number too large"},
	    {HOST ",w1,a[0]x",
		"id '" HOST ",w1,a[0]x': something behind its end"},
	    {HOST ",w1,a[0][1][2]",
		"id '" HOST ",w1,a[0][1][2]': something behind its end"},
	    {HOST ",w1,a,b", "id '" HOST ",w1,a,b': something behind its end"},
	    {"tcp:host:1,w1", "address 'tcp:host:1': host is not "
			      "numeric"},
	    {"unix,w1", "address 'unix': nothing to dial"},
	};
	struct hm_error err;
	struct hm_id id;
	size_t i;

	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		CHECK(hm_id_parse(&id, texts[i][0], &err) == -1);
		CHECK(errno == EINVAL && err.code == EINVAL);
		if (strcmp(err.text, texts[i][1]) != 0)
			fprintf(stderr, "%s\n", err.text);
		CHECK(strcmp(err.text, texts[i][1]) == 0);
	}
}

static bool
dest_is(const char *text, const char *want)
{
	char printed[HM_ID_TEXT];
	struct hm_id id;

	return hm_id_parse_dest(&id, text, HOST, NULL) == 0 &&
	       strcmp(hm_id_print(&id, printed, sizeof printed), want) == 0;
}

static void
test_dest(void)
{
	struct hm_id id;

	CHECK(dest_is("w1", HOST ",w1,main[0][0]"));
	CHECK(dest_is("w1,agent", HOST ",w1,agent[0][0]"));
	CHECK(dest_is("w1,agent[3]", HOST ",w1,agent[3][0]"));
	CHECK(dest_is("w1,agent[3][9]", HOST ",w1,agent[3][9]"));
	CHECK(dest_is("tcp:10.0.0.7:1,w1", "tcp:10.0.0.7:1,w1,main[0][0]"));
	CHECK(dest_is("tcp:10.0.0.7:1,w1,a", "tcp:10.0.0.7:1,w1,a[0][0]"));
	CHECK(dest_is("tcp:localhost:1,w1", "tcp:127.0.0.1:1,w1,main[0][0]") ||
	      dest_is("tcp:localhost:1,w1", "tcp:[::1]:1,w1,main[0][0]"));
	CHECK(hm_id_parse_dest(&id, "", HOST, NULL) == -1);
	CHECK(hm_id_parse_dest(&id, "w1,", HOST, NULL) == -1);
	CHECK(hm_id_parse_dest(&id, "unix:/x", HOST, NULL) == -1);
}

static void
test_names(void)
{
	char name[HM_NAME_MAX + 1];
	int c;

	memset(name, 'n', sizeof name);
	CHECK(hm_name_valid(name, HM_NAME_MAX));
	CHECK(!hm_name_valid(name, HM_NAME_MAX + 1));
	CHECK(!hm_name_valid("", 0) && hm_name_valid("_", 1));
	for (c = 0; c < 256; c++) {
		bool first = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij"
				    "klmnopqrstuvwxyz0123456789_",
				 c) != NULL &&
			     c != 0;

		name[0] = (char)c;
		CHECK(hm_name_valid(name, 2) == first);
		name[0] = 'n';
		name[1] = (char)c;
		CHECK(
		    hm_name_valid(name, 2) == (first || c == '-' || c == '.'));
		name[1] = 'n';
	}
}

/* In order, each before all that follow. */
static void
test_order(void)
{
	static const char *const texts[] = {"tcp:10.0.0.7:1,w1", HOST ",w1",
	    HOST ",w1,a[0]", HOST ",w1,a[0][0]", HOST ",w1,a[0][9]",
	    HOST ",w1,a[0][10]", HOST ",w1,a[2]", HOST ",w1,a[10]",
	    HOST ",w1,b[0]", HOST ",w10", HOST ",w10,a[0]", HOST ",w2",
	    "unix:/run/h/front2,w0"};
	size_t i, j, n = sizeof texts / sizeof texts[0];
	struct hm_id a, b;
	int c;

	for (i = 0; i < n; i++) {
		for (j = 0; j < n; j++) {
			a = parse(texts[i]);
			b = parse(texts[j]);
			c = hm_id_compare(&a, &b);
			CHECK(i < j ? c < 0 : i > j ? c > 0 : c == 0);
		}
	}
	a = parse(HOST ",w1");
	b = parse(HOST ",w1,a[0][9]");
	CHECK(hm_id_is_prefix(&a, &b) && !hm_id_is_prefix(&b, &a));
	CHECK(hm_id_is_prefix(&a, &a) && hm_id_is_prefix(&b, &b));
	b = parse(HOST ",w10,a[0][9]");
	CHECK(!hm_id_is_prefix(&a, &b));
	a = parse(HOST ",w10,a[0]");
	CHECK(hm_id_is_prefix(&a, &b));
	a = parse(HOST ",w10,a[1]");
	CHECK(!hm_id_is_prefix(&a, &b));
}

static void
random_name(char name[HM_NAME_MAX + 1])
{
	static const char bytes[] = "_0Zaz9-.";
	unsigned i,
	    n = 1 + check_random(check_random(8) == 0 ? HM_NAME_MAX : 6);

	for (i = 0; i < n; i++)
		name[i] = bytes[check_random(i == 0 ? 6 : 8)];
	name[n] = '\0';
}

static uint64_t
random_number(void)
{
	uint64_t n = (uint64_t)check_random(1u << 31) << 33 |
		     (uint64_t)check_random(1u << 31) << 2 | check_random(4);

	return n >> check_random(64);
}

static void
random_id(struct hm_id *id)
{
	static const char *const addrs[] = {
	    HOST, "unix:@x", "tcp:1.2.3.4:5", "tcp:[::1]:65535", "local:0"};
	char proc[HM_NAME_MAX + 1], actor[HM_NAME_MAX + 1];

	random_name(proc);
	random_name(actor);
	hm_id_set(id, addrs[check_random(5)], proc, actor, random_number(),
	    random_number());
	id->depth = (enum hm_id_depth)(1 + check_random(3));
	if (id->depth < HM_ID_PORT)
		id->port = 0;
	if (id->depth < HM_ID_ACTOR) {
		id->index = 0;
		memset(id->actor, 0, sizeof id->actor);
	}
}

static void
test_inverse(void)
{
	char text[HM_ID_TEXT], again[HM_ID_TEXT];
	struct hm_id id, back;
	unsigned n;

	for (n = 0; n < 50000; n++) {
		random_id(&id);
		hm_id_print(&id, text, sizeof text);
		CHECK(hm_id_parse(&back, text, NULL) == 0);
		CHECK(memcmp(&id, &back, sizeof id) == 0);
		CHECK(hm_id_compare(&id, &back) == 0);
		/* Whatever else is read prints as something that is read. */
		text[check_random((unsigned)strlen(text))] =
		    ",[]:0a.-"[check_random(8)];
		if (hm_id_parse(&id, text, NULL) == -1)
			continue;
		hm_id_print(&id, again, sizeof again);
		CHECK(hm_id_parse(&back, again, NULL) == 0);
		CHECK(memcmp(&id, &back, sizeof id) == 0);
	}
}

static void
test_largest(void)
{
	char addr[HM_ADDR_SIZE], name[HM_NAME_MAX + 1], text[HM_ID_TEXT];
	struct hm_id id;

	memset(addr, 'a', sizeof addr - 1);
	addr[sizeof addr - 1] = '\0';
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	hm_id_set(&id, addr, name, name, UINT64_MAX, UINT64_MAX);
	hm_id_print(&id, text, sizeof text);
	CHECK(text[strlen(text) - 1] == ']');
}

int
main(void)
{
	test_parse();
	test_refused();
	test_dest();
	test_names();
	test_order();
	test_inverse();
	test_largest();
	return 0;
}
