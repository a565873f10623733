/*
 * Addresses: what is read, what is printed, and what is refused with which
 * words; printing and reading again gives the same.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <string.h>

#include <hostmux/addr.h>

#include "check.h"

#define L HM_ADDR_LISTEN

/* The longest path: 107 bytes on Linux. */
#define P10 "/123456789"
#define P100 P10 P10 P10 P10 P10 P10 P10 P10 P10 P10

static void
test_accepted(void)
{
	static const struct {
		const char *text, *canonical;
		unsigned flags;
		enum hm_transport transport;
	} cases[] = {
	    {"unix:/run/h/front", "unix:/run/h/front", 0, HM_TRANSPORT_UNIX},
	    {"ipc:///run/h", "unix:/run/h", 0, HM_TRANSPORT_UNIX},
	    {"ipc://@x", "unix:@x", 0, HM_TRANSPORT_UNIX},
	    {"unix:/a dir/\xc3\xa9", "unix:/a dir/\xc3\xa9", 0,
		HM_TRANSPORT_UNIX},
	    {"unix:" P100 "/123456", "unix:" P100 "/123456", 0,
		HM_TRANSPORT_UNIX},
	    {"tcp:10.0.0.7:7000", "tcp:10.0.0.7:7000", 0, HM_TRANSPORT_TCP},
	    {"tcp://10.0.0.7:07000", "tcp:10.0.0.7:7000", 0, HM_TRANSPORT_TCP},
	    {"tcp:[::1]:7000", "tcp:[::1]:7000", 0, HM_TRANSPORT_TCP},
	    {"tcp:[0:0:0:0:0:0:0:0]:1", "tcp:[::]:1", 0, HM_TRANSPORT_TCP},
	    {"tcp:[2001:DB8:0:0:1:0:0:1]:1", "tcp:[2001:db8::1:0:0:1]:1", 0,
		HM_TRANSPORT_TCP},
	    {"tcp:[2001:db8:0:1:1:1:1:1]:1", "tcp:[2001:db8:0:1:1:1:1:1]:1", 0,
		HM_TRANSPORT_TCP},
	    {"tcp:[1:2:3:4:5:6:0:0]:1", "tcp:[1:2:3:4:5:6::]:1", 0,
		HM_TRANSPORT_TCP},
	    {"tcp:[1:0:0:2:0:0:0:3]:1", "tcp:[1:0:0:2::3]:1", 0,
		HM_TRANSPORT_TCP},
	    {"tcp:[::ffff:10.0.0.7]:1", "tcp:10.0.0.7:1", 0, HM_TRANSPORT_TCP},
	    {"tcp:*:7000", "tcp:*:7000", L, HM_TRANSPORT_TCP},
	    {"tcp:127.0.0.1:0", "tcp:127.0.0.1:0", L, HM_TRANSPORT_TCP},
	    {"local:12", "local:12", 0, HM_TRANSPORT_LOCAL},
	    {"inproc://12", "local:12", 0, HM_TRANSPORT_LOCAL},
	    {"unix", "unix", L, HM_TRANSPORT_UNIX},
	    {"tcp", "tcp", L, HM_TRANSPORT_TCP},
	    {"local", "local", L, HM_TRANSPORT_LOCAL},
	};
	struct hm_addr addr, again;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CHECK(hm_addr_parse(
			  &addr, cases[i].text, cases[i].flags, NULL) == 0);
		CHECK(strcmp(addr.text, cases[i].canonical) == 0);
		CHECK(addr.transport == cases[i].transport);
		CHECK(addr.any == (strchr(addr.text, ':') == NULL));
		CHECK(addr.wildcard == (strchr(addr.text, '*') != NULL));
		CHECK(hm_addr_text_valid(addr.text, strlen(addr.text)));
		CHECK(hm_addr_parse(&again, addr.text, cases[i].flags, NULL) ==
		      0);
		CHECK(memcmp(&addr, &again, sizeof addr) == 0);
	}
}

static void
test_refused(void)
{
	static const struct {
		const char *text, *why;
		unsigned flags;
	} cases[] = {
	    {"", "no transport (unix:PATH, tcp:HOST:PORT, local:N)", L},
	    {"x", "no transport (unix:PATH, tcp:HOST:PORT, local:N)", L},
	    {"udp:1.2.3.4:5",
		"no transport (unix:PATH, tcp:HOST:PORT, local:N)", 0},
	    {"unix", "nothing to dial", 0},
	    {"unix:", "no path", L},
	    {"unix:@", "no path", L},
	    {"unix:x", "path does not begin with / or @", L},
	    {"ipc://x", "path does not begin with / or @", L},
	    {"unix:/a,b", "a comma may not stand in it", L},
	    {"tcp:host", "no port", 0},
	    {"tcp:", "no port", 0},
	    {"tcp:1.2.3.4:", "no port", 0},
	    {"tcp::7000", "no host", 0},
	    {"tcp:host:7000", "host is not numeric", 0},
	    {"tcp:1.2.3:7000", "host is not numeric", L},
	    {"tcp:1.2.3.4:65536", "port is not a number up to 65535", 0},
	    {"tcp:1.2.3.4:x", "port is not a number up to 65535", 0},
	    {"tcp:1.2.3.4:-1", "port is not a number up to 65535", 0},
	    {"tcp:1.2.3.4:0", "port 0 cannot be dialed", 0},
	    {"tcp:*:7000", "'*' cannot be dialed", 0},
	    {"tcp:::1:7000", "an IPv6 address wants brackets", 0},
	    {"tcp:[::1:7000", "no ']' before the port", 0},
	    {"tcp:[::1]7000", "no ']' before the port", 0},
	    {"tcp:[::1]", "no port", 0},
	    {"tcp:[]:1", "no host", 0},
	    {"tcp:[1.2.3.4]:1", "host is not numeric", HM_ADDR_RESOLVE},
	    {"tcp:[*]:1", "host is not numeric", L},
	    {"local:", "not a number", L},
	    {"local:x", "not a number", L},
	    {"local:18446744073709551616", "not a number", L},
	};
	struct hm_error err;
	struct hm_addr addr;
	char want[HM_ERROR_TEXT];
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CHECK(hm_addr_parse(
			  &addr, cases[i].text, cases[i].flags, &err) == -1);
		CHECK(errno == EINVAL && err.code == EINVAL);
		(void)snprintf(want, sizeof want, "address '%s': %s",
		    cases[i].text, cases[i].why);
		if (strcmp(err.text, want) != 0)
			fprintf(stderr, "%s\nbut: %s\n", want, err.text);
		CHECK(strcmp(err.text, want) == 0);
	}
	CHECK(hm_addr_parse(&addr, "unix:/a\nb", 0, &err) == -1);
	CHECK(strstr(err.text, "'unix:/a\\x0ab'") != NULL);
	CHECK(hm_addr_parse(&addr, "unix:/\xff", 0, &err) == -1);
}

/* They are looked at eight at a time: each byte at each place. */
static void
test_bytes(void)
{
	char text[19];
	size_t len, at;
	int byte;

	for (len = 1; len <= sizeof text; len++) {
		memset(text, 'a', sizeof text);
		for (at = 0; at < len; at++) {
			for (byte = 0; byte < 256; byte++) {
				text[at] = (char)byte;
				CHECK(
				    hm_addr_text_valid(text, len) ==
				    (byte >= ' ' && byte < 127 && byte != ','));
			}
			text[at] = 'a';
		}
		if (len < 2)
			continue;
		memcpy(text + len - 2, "\xc3\xa9", 2);
		CHECK(hm_addr_text_valid(text, len));
		CHECK(!hm_addr_text_valid(text, len - 1));
	}
}

static void
test_limits(void)
{
	struct hm_error err;
	struct hm_addr addr;
	char name[400] = "tcp:";

	CHECK(hm_addr_parse(&addr, "unix:" P100 "/1234567", 0, &err) == -1);
	CHECK(errno == ENAMETOOLONG && err.code == ENAMETOOLONG);
	CHECK(strstr(err.text, ": path longer than ") != NULL);
	memset(name + 4, 'a', 300);
	memcpy(name + 304, ":1", 3);
	CHECK(hm_addr_parse(&addr, name, HM_ADDR_RESOLVE, &err) == -1);
	CHECK(strstr(err.text, "host name too long") != NULL);
	CHECK(!hm_addr_text_valid("", 0) && !hm_addr_text_valid("a,b", 3));
	CHECK(!hm_addr_text_valid("a\0b", 3));
	CHECK(hm_addr_text_valid(name, HM_ADDR_SIZE - 1));
	CHECK(!hm_addr_text_valid(name, HM_ADDR_SIZE));
}

static void
test_resolve(void)
{
	struct hm_error err;
	struct hm_addr addr;

	CHECK(hm_addr_parse(&addr, "tcp:localhost:80", HM_ADDR_RESOLVE, NULL) ==
	      0);
	CHECK(strcmp(addr.text, "tcp:127.0.0.1:80") == 0 ||
	      strcmp(addr.text, "tcp:[::1]:80") == 0);
	/* No name server is asked for what cannot be a name. */
	CHECK(hm_addr_parse(&addr, "tcp:a..b:80", HM_ADDR_RESOLVE, &err) == -1);
	CHECK(errno == EHOSTUNREACH && err.code == EHOSTUNREACH);
	CHECK(strstr(err.text, "cannot resolve 'a..b'") != NULL);
}

static bool
remote(const char *text)
{
	struct hm_addr addr;

	CHECK(hm_addr_parse(&addr, text, L, NULL) == 0);
	return hm_addr_is_remote(&addr);
}

static void
test_kinds(void)
{
	struct hm_addr addr;

	CHECK(remote("tcp:10.0.0.7:1") && remote("tcp:[::2]:1"));
	CHECK(remote("tcp:*:1") && remote("tcp:0.0.0.0:1"));
	CHECK(!remote("tcp:127.0.0.1:1") && !remote("tcp:127.9.9.9:1"));
	CHECK(!remote("tcp:[::1]:1") && !remote("tcp:[::ffff:127.0.0.1]:1"));
	CHECK(!remote("unix:/x") && !remote("local:1"));
	CHECK(hm_addr_parse(&addr, "unix:@a", 0, NULL) == 0);
	CHECK(hm_addr_is_abstract(&addr) && hm_addr_path(&addr) == NULL);
	CHECK(hm_addr_parse(&addr, "unix:/@a", 0, NULL) == 0);
	CHECK(!hm_addr_is_abstract(&addr));
	CHECK(strcmp(hm_addr_path(&addr), "/@a") == 0);
	CHECK(hm_addr_parse(&addr, "tcp:1.2.3.4:5", 0, NULL) == 0);
	CHECK(!hm_addr_is_abstract(&addr) && hm_addr_path(&addr) == NULL);
}

/* Whatever 16 bytes there are: what is printed is read as the same bytes. */
static void
test_any_v6(void)
{
	unsigned char ip[16], back[16];
	char text[INET6_ADDRSTRLEN + 16], host[INET6_ADDRSTRLEN];
	struct hm_addr addr, again;
	unsigned i, n;

	for (n = 0; n < 20000; n++) {
		for (i = 0; i < 16; i++)
			ip[i] = check_random(3) == 0
				    ? (unsigned char)check_random(256)
				    : 0;
		CHECK(inet_ntop(AF_INET6, ip, host, sizeof host) != NULL);
		(void)snprintf(text, sizeof text, "tcp:[%s]:%u", host,
		    1 + check_random(65535));
		CHECK(hm_addr_parse(&addr, text, 0, NULL) == 0);
		CHECK(hm_addr_parse(&again, addr.text, 0, NULL) == 0);
		CHECK(memcmp(&addr, &again, sizeof addr) == 0);
		CHECK(sscanf(addr.text, "tcp:[%45[^]]", host) == 1);
		CHECK(inet_pton(AF_INET6, host, back) == 1);
		CHECK(memcmp(ip, back, 16) == 0);
	}
}

/* Mutilated addresses are read into something that reads as itself, or
 * refused. */
static void
test_any_text(void)
{
	static const char *const seeds[] = {"tcp:10.0.0.7:7000",
	    "tcp:[2001:db8::1]:7000", "unix:/run/h/front", "unix:@name",
	    "ipc:///x", "inproc://12", "local:12", "tcp:*:1", "tcp"};
	static const char bytes[] = ":[]*@/.,0123456789abcft\xc3\xa9\n ";
	struct hm_addr addr, again;
	char text[64];
	unsigned n, i;

	for (n = 0; n < 200000; n++) {
		(void)snprintf(text, sizeof text, "%s", seeds[n % 9]);
		for (i = check_random(4); i > 0; i--)
			text[check_random((unsigned)strlen(text))] =
			    bytes[check_random(sizeof bytes - 1)];
		if (hm_addr_parse(&addr, text, L, NULL) == -1)
			continue;
		CHECK(hm_addr_parse(&again, addr.text, L, NULL) == 0);
		CHECK(memcmp(&addr, &again, sizeof addr) == 0);
		CHECK(hm_addr_text_valid(addr.text, strlen(addr.text)));
	}
}

int
main(void)
{
	test_accepted();
	test_refused();
	test_limits();
	test_resolve();
	test_kinds();
	test_any_v6();
	test_any_text();
	test_bytes();
	return 0;
}
