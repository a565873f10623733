/*
 * Sockets: made CLOEXEC and nonblocking in one place, listened on, dialed, and
 * who is at the other end.
 *
 * A Unix socket is never more open than its mode, not for an instant, and what
 * stands in the way of one is removed only if it is a socket that nobody serves
 * any more.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#ifdef __linux__
#include <sys/ioctl.h>
#endif
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"

#define BACKLOG 4096
#define KEEPALIVE_IDLE 15
#define KEEPALIVE_STEP 5
#define KEEPALIVE_TRIES 3

union any_addr {
	struct sockaddr any;
	struct sockaddr_un un;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

#ifndef __linux__
/* What Linux does in the call that makes the socket. */
static int
born(int fd)
{
	int code;

	if (fd == -1)
		return -1;
	if (sys_cloexec(fd) == -1 || sys_nonblock(fd) == -1) {
		code = errno;
		(void)close(fd);
		errno = code;
		return -1;
	}
#ifdef SO_NOSIGPIPE
	code = 1;
	(void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &code, sizeof code);
#endif
	return fd;
}
#endif

static int
open_socket(int family)
{
#ifdef __linux__
	return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
#else
	return born(socket(family, SOCK_STREAM, 0));
#endif
}

int
sys_accept(int fd)
{
#ifdef __linux__
	return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
#else
	return born(accept(fd, NULL, NULL));
#endif
}

static int
unix_addr(const struct hm_addr *addr, union any_addr *to, socklen_t *len,
    struct hm_error *err)
{
	const char *path = addr->text + 5;
	size_t n = strlen(path);

	memset(to, 0, sizeof *to);
	to->un.sun_family = AF_UNIX;
	if (n >= sizeof to->un.sun_path)
		return hm_fail(err, ENAMETOOLONG,
		    "address '%s': path longer than %zu bytes", addr->text,
		    sizeof to->un.sun_path - 1);
	memcpy(to->un.sun_path, path, n + 1);
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
	if (path[0] != '@')
		return 0;
#ifdef __linux__
	to->un.sun_path[0] = '\0';
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	return 0;
#else
	return hm_fail(err, ENOTSUP,
	    "address '%s': no abstract sockets on this system", addr->text);
#endif
}

/* "tcp:HOST:PORT", as hm_addr_parse prints it. */
static int
tcp_addr(const struct hm_addr *addr, union any_addr *to, socklen_t *len,
    struct hm_error *err)
{
	char host[HM_ADDR_SIZE];
	char *colon;
	unsigned long port;

	memset(to, 0, sizeof *to);
	(void)snprintf(host, sizeof host, "%s", addr->text + 4);
	colon = strrchr(host, ':');
	if (colon == NULL)
		return hm_fail(
		    err, EINVAL, "address '%s': no port", addr->text);
	*colon = '\0';
	port = strtoul(colon + 1, NULL, 10);
	if (addr->wildcard || host[0] == '[') {
		to->v6.sin6_family = AF_INET6;
		to->v6.sin6_port = htons((uint16_t)port);
		*len = sizeof to->v6;
		if (addr->wildcard)
			return 0;
		host[strlen(host) - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &to->v6.sin6_addr) == 1)
			return 0;
	} else {
		to->v4.sin_family = AF_INET;
		to->v4.sin_port = htons((uint16_t)port);
		*len = sizeof to->v4;
		if (inet_pton(AF_INET, host, &to->v4.sin_addr) == 1)
			return 0;
	}
	return hm_fail(
	    err, EINVAL, "address '%s': host is not numeric", addr->text);
}

static int
any_addr(const struct hm_addr *addr, union any_addr *to, socklen_t *len,
    struct hm_error *err)
{
	switch (addr->transport) {
	case HM_TRANSPORT_UNIX:
		return unix_addr(addr, to, len, err);
	case HM_TRANSPORT_TCP:
		return tcp_addr(addr, to, len, err);
	default:
		return hm_fail(err, ENOTSUP,
		    "address '%s': only inside one process", addr->text);
	}
}

int
sys_dial(const struct hm_addr *addr, struct hm_error *err)
{
	union any_addr to;
	socklen_t len;
	int fd, code;

	if (any_addr(addr, &to, &len, err) == -1)
		return -1;
	fd = open_socket(to.any.sa_family);
	if (fd == -1)
		return hm_fail(err, errno, "socket: %s", strerror(errno));
	if (connect(fd, &to.any, len) == -1 && errno != EINPROGRESS &&
	    errno != EINTR) {
		code = errno;
		(void)close(fd);
		return hm_fail(err, code, "connect: %s", strerror(code));
	}
	return fd;
}

int
sys_connected(int fd)
{
	int code = 0;
	socklen_t len = sizeof code;
	union any_addr peer;
	socklen_t plen = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) == -1)
		return errno;
	if (code == 0 && getpeername(fd, &peer.any, &plen) == -1)
		return errno == ENOTCONN ? EINPROGRESS : errno;
	return code;
}

void
sys_tune(int fd, enum hm_transport transport)
{
	int on = 1;

	if (transport != HM_TRANSPORT_TCP)
		return;
	/* Each of these makes the link better and none is needed. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
#ifdef TCP_KEEPIDLE
	{
		int idle = KEEPALIVE_IDLE, step = KEEPALIVE_STEP;
		int tries = KEEPALIVE_TRIES;

		(void)setsockopt(
		    fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
		(void)setsockopt(
		    fd, IPPROTO_TCP, TCP_KEEPINTVL, &step, sizeof step);
		(void)setsockopt(
		    fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
	}
#endif
}

int
sys_pending(int fd, struct sys_pending *pending)
{
#ifdef __linux__
	struct tcp_info info;
	socklen_t len = sizeof info;
	int bytes = 0;

	if (ioctl(fd, TIOCOUTQ, &bytes) == -1 ||
	    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1)
		return -1;
	pending->heard = info.tcpi_last_ack_recv;
	pending->in_flight = info.tcpi_unacked;
	pending->probes = info.tcpi_probes;
	return bytes > 0;
#else
	(void)fd;
	(void)pending;
	return -1;
#endif
}

int
sys_peer(int fd, uint32_t *uid, uint32_t *pid)
{
#if defined(__linux__)
	struct ucred cred;
	socklen_t len = sizeof cred;

	*uid = UINT32_MAX;
	*pid = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return -1;
	*uid = cred.uid;
	*pid = (uint32_t)cred.pid;
	return 0;
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__) || \
    defined(__NetBSD__) || defined(__DragonFly__)
	uid_t u;
	gid_t g;

	*uid = UINT32_MAX;
	*pid = 0;
	if (getpeereid(fd, &u, &g) == -1)
		return -1;
	*uid = (uint32_t)u;
	return 0;
#else
	(void)fd;
	*uid = UINT32_MAX;
	*pid = 0;
	errno = ENOTSUP;
	return -1;
#endif
}

/* Does anything answer at that address? */
static bool
alive(const union any_addr *to, socklen_t len)
{
	int fd = open_socket(to->any.sa_family), done;

	if (fd == -1)
		return true; /* cannot tell: nothing is removed */
	done = connect(fd, &to->any, len);
	if (done == -1 && errno != ECONNREFUSED && errno != ENOENT)
		done = 0;
	(void)close(fd);
	return done == 0;
}

/* Removes what is left of a dead server.  A file refuses connections too. */
static bool
remove_stale(const union any_addr *to, socklen_t len)
{
	const char *path = to->un.sun_path;
	struct stat st;

	if (path[0] == '\0' || lstat(path, &st) == -1)
		return false;
	return S_ISSOCK(st.st_mode) && !alive(to, len) && unlink(path) == 0;
}

/* The umask belongs to all threads of the process: Linux does without it, there
 * the file takes its mode from the socket, less the umask. */
static int
bind_closed(int fd, const union any_addr *to, socklen_t len, unsigned mode)
{
#ifdef __linux__
	const char *path = to->un.sun_path;

	if (path[0] == '\0')
		return bind(fd, &to->any, len);
	if (fchmod(fd, (mode_t)mode) == -1 || bind(fd, &to->any, len) == -1)
		return -1;
	return chmod(path, (mode_t)mode);
#else
	mode_t mask = umask((mode_t)(~mode & 0777));
	int done = bind(fd, &to->any, len), code = errno;

	(void)umask(mask);
	errno = code;
	return done;
#endif
}

static int
bind_unix(int fd, const union any_addr *to, socklen_t len, unsigned mode,
    bool replace)
{
	int done = bind_closed(fd, to, len, mode);

	if (done == -1 && errno == EADDRINUSE && replace) {
		if (remove_stale(to, len))
			return bind_closed(fd, to, len, mode);
		errno = EADDRINUSE;
	}
	return done;
}

/* Every interface, also where there is no IPv6. */
static int
open_wildcard(union any_addr *to, socklen_t *len)
{
	int off = 0, fd = open_socket(AF_INET6);
	in_port_t port = to->v6.sin6_port;

	if (fd != -1) {
		(void)setsockopt(
		    fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
		return fd;
	}
	if (errno != EAFNOSUPPORT)
		return -1;
	memset(to, 0, sizeof *to);
	to->v4.sin_family = AF_INET;
	to->v4.sin_port = port;
	*len = sizeof to->v4;
	return open_socket(AF_INET);
}

/* What was chosen by the system, read back. */
static int
listened_on(int fd, const struct hm_addr *addr, struct hm_addr *got)
{
	union any_addr at;
	socklen_t len = sizeof at;
	char host[INET6_ADDRSTRLEN] = "*";
	bool six;
	unsigned port;

	*got = *addr;
	got->any = false;
	if (addr->transport != HM_TRANSPORT_TCP)
		return 0;
	if (getsockname(fd, &at.any, &len) == -1)
		return -1;
	six = at.any.sa_family == AF_INET6;
	port = ntohs(six ? at.v6.sin6_port : at.v4.sin_port);
	if (addr->wildcard)
		six = false;
	else if (six)
		(void)inet_ntop(AF_INET6, &at.v6.sin6_addr, host, sizeof host);
	else
		(void)inet_ntop(AF_INET, &at.v4.sin_addr, host, sizeof host);
	(void)snprintf(got->text, sizeof got->text, "tcp:%s%s%s:%u",
	    six ? "[" : "", host, six ? "]" : "", port);
	return 0;
}

/* A fresh name in dir for "unix". */
static int
choose_path(struct hm_addr *addr, const char *dir, struct hm_error *err)
{
	uint32_t random;

	if (sys_random(&random, sizeof random) == -1)
		return hm_fail(
		    err, errno, "no random bytes: %s", strerror(errno));
	(void)snprintf(addr->text, sizeof addr->text,
	    "unix:%.100s/s-%08" PRIx32, dir, random);
	return 0;
}

int
sys_listen(const struct hm_addr *addr, const char *dir, unsigned mode,
    bool replace, struct hm_addr *got, struct hm_error *err)
{
	struct hm_addr where = *addr;
	union any_addr to;
	socklen_t len;
	int fd, code, on = 1, done;

	if (where.any && where.transport == HM_TRANSPORT_UNIX &&
	    choose_path(&where, dir, err) == -1)
		return -1;
	if (where.any && where.transport == HM_TRANSPORT_TCP)
		(void)snprintf(
		    where.text, sizeof where.text, "tcp:127.0.0.1:0");
	if (any_addr(&where, &to, &len, err) == -1)
		return -1;
	fd = where.wildcard ? open_wildcard(&to, &len)
			    : open_socket(to.any.sa_family);
	if (fd == -1)
		return hm_fail(err, errno, "address '%s': %s", where.text,
		    strerror(errno));
	if (where.transport == HM_TRANSPORT_TCP) {
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		done = bind(fd, &to.any, len);
	} else {
		done = bind_unix(fd, &to, len, mode, replace);
	}
	if (done == -1 || listen(fd, BACKLOG) == -1 ||
	    listened_on(fd, &where, got) == -1) {
		code = errno;
		(void)close(fd);
		return hm_fail(
		    err, code, "address '%s': %s", where.text, strerror(code));
	}
	return fd;
}

/* A directory of ours, no link, closed to others. */
static int
check_dir(const char *dir, bool make, struct hm_error *err)
{
	struct stat st;

	if (make && mkdir(dir, 0700) == -1 && errno != EEXIST)
		return hm_fail(
		    err, errno, "directory '%s': %s", dir, strerror(errno));
	if (lstat(dir, &st) == -1)
		return make ? hm_fail(err, errno, "directory '%s': %s", dir,
				  strerror(errno))
			    : 0;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return hm_fail(err, EPERM,
		    "directory '%s': not a directory of uid %ld", dir,
		    (long)geteuid());
	if ((st.st_mode & 077) != 0)
		return hm_fail(err, EPERM,
		    "directory '%s': open to others (mode %o)", dir,
		    (unsigned)(st.st_mode & 0777));
	return 0;
}

int
sys_socket_dir(char *buf, size_t size, bool make, struct hm_error *err)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	struct stat st;
	int n;

	if (run != NULL && run[0] == '/' && stat(run, &st) == 0 &&
	    S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		n = snprintf(buf, size, "%s/hostmux", run);
	else
		n = snprintf(buf, size, "/tmp/hostmux-%ld", (long)geteuid());
	if (n < 0 || (size_t)n >= size)
		return hm_fail(err, ENAMETOOLONG,
		    "directory '%.100s…': path longer than %zu bytes", buf,
		    size - 1);
	return check_dir(buf, make, err);
}
