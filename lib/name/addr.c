/*
 * Channel addresses: one canonical text for each.
 *
 * The text is an identity that travels between machines, so it may not depend
 * on the libc that printed it: inet_ntop of glibc and of musl shorten IPv6
 * differently, hence print_v6 (RFC 5952).  An IPv4 address in IPv6's clothes is
 * printed as what it is.
 */
#include <sys/socket.h>
#include <sys/un.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <hostmux/addr.h>
#include <hostmux/text.h>

/* A path or an abstract name needs one byte beside it (NUL, or the first). */
#define PATH_MOST (sizeof((struct sockaddr_un *)0)->sun_path - 1)
#define PATH_LIMIT \
	(PATH_MOST < HM_ADDR_SIZE - 6 ? PATH_MOST : (size_t)HM_ADDR_SIZE - 6)

static int
bad(struct hm_error *err, const char *text, const char *why)
{
	char safe[200];

	return hm_fail(err, EINVAL, "address '%s': %s",
	    hm_text_safe(text, strlen(text), safe, sizeof safe), why);
}

static int
parse_unix(struct hm_addr *addr, const char *path, const char *text,
    struct hm_error *err)
{
	char safe[200];

	addr->transport = HM_TRANSPORT_UNIX;
	if (path[0] == '\0' || strcmp(path, "@") == 0)
		return bad(err, text, "no path");
	if (path[0] != '/' && path[0] != '@')
		return bad(err, text, "path does not begin with / or @");
	if (strlen(path) > PATH_LIMIT)
		return hm_fail(err, ENAMETOOLONG,
		    "address '%s': path longer than %zu bytes",
		    hm_text_safe(text, strlen(text), safe, sizeof safe),
		    PATH_LIMIT);
	(void)snprintf(addr->text, sizeof addr->text, "unix:%s", path);
	return 0;
}

/* "host:port" or "[host]:port" into its parts. */
static int
split_host(const char *rest, char *host, size_t size, const char **port,
    const char *text, struct hm_error *err)
{
	const char *end, *colon;

	if (rest[0] == '[') {
		end = strchr(rest, ']');
		if (end == NULL || (end[1] != ':' && end[1] != '\0'))
			return bad(err, text, "no ']' before the port");
		colon = end + 1;
		rest++;
	} else {
		end = colon = strrchr(rest, ':');
		if (colon == NULL)
			return bad(err, text, "no port");
		if (memchr(rest, ':', (size_t)(end - rest)) != NULL)
			return bad(err, text, "an IPv6 address wants brackets");
	}
	if (*colon == '\0' || colon[1] == '\0')
		return bad(err, text, "no port");
	if (end == rest)
		return bad(err, text, "no host");
	if ((size_t)(end - rest) >= size)
		return bad(err, text, "host name too long");
	memcpy(host, rest, (size_t)(end - rest));
	host[end - rest] = '\0';
	*port = colon + 1;
	return 0;
}

/* The longest run of zero groups, of two at least: its begin, or 8. */
static int
zero_run(const unsigned char ip[16], int *len)
{
	int i, n, at = 8;

	*len = 1;
	for (i = 0; i < 8; i += n + 1) {
		for (n = 0; i + n < 8 && ip[2 * (i + n)] == 0 &&
			    ip[2 * (i + n) + 1] == 0;
		     n++)
			continue;
		if (n > *len) {
			at = i;
			*len = n;
		}
	}
	return at;
}

static void
print_v6(char *out, size_t size, const unsigned char ip[16])
{
	size_t n = 0;
	int i, len, at = zero_run(ip, &len);

	for (i = 0; i < 8; i++) {
		if (i == at) {
			n += (size_t)snprintf(out + n, size - n, "::");
			i += len - 1;
			continue;
		}
		n += (size_t)snprintf(out + n, size - n, "%s%x",
		    i == 0 || i == at + len ? "" : ":",
		    (unsigned)ip[2 * i] << 8 | ip[2 * i + 1]);
	}
}

static void
print_tcp(struct hm_addr *addr, int family, const void *ip, unsigned port)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	const unsigned char *p = ip;
	char host[INET6_ADDRSTRLEN];

	if (family == AF_INET6 && memcmp(p, mapped, sizeof mapped) == 0) {
		family = AF_INET;
		p += sizeof mapped;
	}
	if (family == AF_INET6) {
		print_v6(host, sizeof host, p);
		(void)snprintf(
		    addr->text, sizeof addr->text, "tcp:[%s]:%u", host, port);
	} else {
		(void)snprintf(addr->text, sizeof addr->text,
		    "tcp:%u.%u.%u.%u:%u", p[0], p[1], p[2], p[3], port);
	}
}

static int
resolve(struct hm_addr *addr, const char *host, unsigned port, const char *text,
    struct hm_error *err)
{
	struct addrinfo hints, *found;
	char why[300];
	int code;

	memset(&hints, 0, sizeof hints);
	hints.ai_socktype = SOCK_STREAM;
	code = getaddrinfo(host, NULL, &hints, &found);
	if (code != 0) {
		(void)snprintf(why, sizeof why, "cannot resolve '%.100s': %s",
		    host, gai_strerror(code));
		(void)bad(err, text, why);
		if (err != NULL)
			err->code = EHOSTUNREACH;
		errno = EHOSTUNREACH;
		return -1;
	}
	if (found->ai_family == AF_INET6)
		print_tcp(addr, AF_INET6,
		    &((struct sockaddr_in6 *)(void *)found->ai_addr)->sin6_addr,
		    port);
	else
		print_tcp(addr, AF_INET,
		    &((struct sockaddr_in *)(void *)found->ai_addr)->sin_addr,
		    port);
	freeaddrinfo(found);
	return 0;
}

static int
parse_tcp(struct hm_addr *addr, const char *rest, unsigned flags,
    const char *text, struct hm_error *err)
{
	char host[256];
	const char *port = NULL;
	uint64_t n;
	struct in_addr v4;
	struct in6_addr v6;

	addr->transport = HM_TRANSPORT_TCP;
	if (split_host(rest, host, sizeof host, &port, text, err) == -1)
		return -1;
	if (hm_text_number(port, "port", 0, 65535, &n, NULL) == -1)
		return bad(err, text, "port is not a number up to 65535");
	if (n == 0 && (flags & HM_ADDR_LISTEN) == 0)
		return bad(err, text, "port 0 cannot be dialed");
	if (rest[0] == '*' && host[1] == '\0') {
		if ((flags & HM_ADDR_LISTEN) == 0)
			return bad(err, text, "'*' cannot be dialed");
		addr->wildcard = true;
		(void)snprintf(
		    addr->text, sizeof addr->text, "tcp:*:%u", (unsigned)n);
		return 0;
	}
	if (rest[0] != '[' && inet_pton(AF_INET, host, &v4) == 1)
		print_tcp(addr, AF_INET, &v4, (unsigned)n);
	else if (rest[0] == '[' && inet_pton(AF_INET6, host, &v6) == 1)
		print_tcp(addr, AF_INET6, &v6, (unsigned)n);
	else if (rest[0] == '[' || (flags & HM_ADDR_RESOLVE) == 0)
		return bad(err, text, "host is not numeric");
	else
		return resolve(addr, host, (unsigned)n, text, err);
	return 0;
}

static int
parse_local(struct hm_addr *addr, const char *rest, const char *text,
    struct hm_error *err)
{
	uint64_t n;

	addr->transport = HM_TRANSPORT_LOCAL;
	if (hm_text_number(rest, "port", 0, UINT64_MAX, &n, NULL) == -1)
		return bad(err, text, "not a number");
	(void)snprintf(
	    addr->text, sizeof addr->text, "local:%llu", (unsigned long long)n);
	return 0;
}

static int
parse_any(struct hm_addr *addr, const char *text, unsigned flags,
    struct hm_error *err)
{
	if (strcmp(text, "unix") == 0)
		addr->transport = HM_TRANSPORT_UNIX;
	else if (strcmp(text, "tcp") == 0)
		addr->transport = HM_TRANSPORT_TCP;
	else if (strcmp(text, "local") == 0)
		addr->transport = HM_TRANSPORT_LOCAL;
	else
		return bad(err, text,
		    "no transport (unix:PATH, tcp:HOST:PORT, local:N)");
	if ((flags & HM_ADDR_LISTEN) == 0)
		return bad(err, text, "nothing to dial");
	addr->any = true;
	(void)snprintf(addr->text, sizeof addr->text, "%s", text);
	return 0;
}

#define EACH(byte) (UINT64_MAX / 255 * (byte))

/* The high bit of each byte of ASCII in x that may not stand in an address:
 * controls, the comma, 127.  No sum or difference leaves its byte, since the
 * high bits are set before, or clear. */
static uint64_t
wrong_bytes(uint64_t x)
{
	uint64_t low = x & EACH(0x7f), high = EACH(0x80);
	uint64_t control = ~((low | high) - EACH(' '));
	uint64_t comma = ~((low ^ EACH(',')) + EACH(0x7f));
	uint64_t del = low + EACH(1);

	return (control | comma | del) & ~x & high;
}

/* Every head of a message is asked about three or so: eight bytes at a time. */
static bool
bytes_valid(const char *text, size_t len)
{
	uint64_t wrong = 0, high = 0, x;
	size_t i;

	for (i = 0; i + sizeof x <= len; i += sizeof x) {
		memcpy(&x, text + i, sizeof x);
		wrong |= wrong_bytes(x);
		high |= x;
	}
	if (i < len) {
		x = EACH('a');
		memcpy(&x, text + i, len - i);
		wrong |= wrong_bytes(x);
		high |= x;
	}
	return wrong == 0 &&
	       ((high & EACH(0x80)) == 0 || hm_text_is_utf8(text, len));
}

bool
hm_addr_text_valid(const char *text, size_t len)
{
	return len > 0 && len < HM_ADDR_SIZE && bytes_valid(text, len);
}

/* The rest of text behind prefix, NULL if it does not begin with it. */
static const char *
behind(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

int
hm_addr_parse(struct hm_addr *addr, const char *text, unsigned flags,
    struct hm_error *err)
{
	const char *rest;

	memset(addr, 0, sizeof *addr);
	if (strchr(text, ',') != NULL)
		return bad(err, text, "a comma may not stand in it");
	if (!bytes_valid(text, strlen(text)))
		return bad(err, text, "not a text without control bytes");
	if ((rest = behind(text, "tcp://")) != NULL)
		return parse_tcp(addr, rest, flags, text, err);
	if ((rest = behind(text, "ipc://")) != NULL ||
	    (rest = behind(text, "unix:")) != NULL)
		return parse_unix(addr, rest, text, err);
	if ((rest = behind(text, "inproc://")) != NULL ||
	    (rest = behind(text, "local:")) != NULL)
		return parse_local(addr, rest, text, err);
	if ((rest = behind(text, "tcp:")) != NULL)
		return parse_tcp(addr, rest, flags, text, err);
	return parse_any(addr, text, flags, err);
}

bool
hm_addr_is_remote(const struct hm_addr *addr)
{
	const char *host = addr->text + 4;

	if (addr->transport != HM_TRANSPORT_TCP)
		return false;
	return strncmp(host, "127.", 4) != 0 && strncmp(host, "[::1]:", 6) != 0;
}

bool
hm_addr_is_abstract(const struct hm_addr *addr)
{
	return strncmp(addr->text, "unix:@", 6) == 0;
}

const char *
hm_addr_path(const struct hm_addr *addr)
{
	return strncmp(addr->text, "unix:/", 6) == 0 ? addr->text + 5 : NULL;
}
