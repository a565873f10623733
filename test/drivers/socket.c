/*
 * Sockets: where they listen, who may reach them, what they replace and what
 * they never do.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"

#include "check.h"

static char dir[64];
static struct hm_error err;

static struct hm_addr
addr_of(const char *text)
{
	struct hm_addr addr;

	CHECK(hm_addr_parse(&addr, text, HM_ADDR_LISTEN, &err) == 0);
	return addr;
}

static struct hm_addr
in_dir(const char *name)
{
	char text[128];

	(void)snprintf(text, sizeof text, "unix:%s/%s", dir, name);
	return addr_of(text);
}

static int
serve(const struct hm_addr *addr, bool replace)
{
	struct hm_addr got;

	return sys_listen(addr, dir, 0600, replace, &got, &err);
}

/* Refused with code, in a sentence that names the address. */
static void
refused(const struct hm_addr *addr, bool replace, int code)
{
	errno = 0;
	CHECK(serve(addr, replace) == -1);
	CHECK(errno == code && err.code == code);
	CHECK(strstr(err.text, addr->text) != NULL);
}

/* Both ends of a connection to addr. */
static void
join(int listening, const struct hm_addr *addr, int ends[2])
{
	struct pollfd out, in = {listening, POLLIN, 0};

	ends[0] = sys_dial(addr, &err);
	CHECK(ends[0] != -1);
	CHECK(poll(&in, 1, 10000) == 1);
	ends[1] = sys_accept(listening);
	CHECK(ends[1] != -1);
	out.fd = ends[0];
	out.events = POLLOUT;
	CHECK(poll(&out, 1, 10000) == 1);
	CHECK(sys_connected(ends[0]) == 0);
}

static void
part(int ends[2])
{
	(void)close(ends[1]);
	(void)close(ends[0]);
}

static void
born_right(int fd)
{
	CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
}

/* --- unix */

/* The mode asked for, whatever the umask, which stays as it was. */
static void
unix_mode(void)
{
	static const mode_t masks[] = {0, 022, 077, 0177};
	static const mode_t modes[] = {0600, 0660, 0666};
	struct hm_addr addr = in_dir("mode"), got;
	struct stat st;
	size_t i, k;
	int fd;

	for (i = 0; i < 12; i++) {
		k = i / 4;
		(void)umask(masks[i % 4]);
		fd = sys_listen(&addr, dir, modes[k], false, &got, &err);
		CHECK(fd != -1);
		born_right(fd);
		CHECK(umask(masks[i % 4]) == masks[i % 4]);
		CHECK(stat(hm_addr_path(&addr), &st) == 0);
		CHECK((st.st_mode & 07777) == modes[k]);
		CHECK(strcmp(got.text, addr.text) == 0 && !got.any);
		(void)close(fd);
		CHECK(unlink(hm_addr_path(&addr)) == 0);
	}
	(void)umask(022);
}

static void
unix_stale(void)
{
	struct hm_addr addr = in_dir("stale");
	int fd = serve(&addr, false), ends[2];

	CHECK(fd != -1);
	join(fd, &addr, ends);
	part(ends);
	refused(&addr, false, EADDRINUSE);
	refused(&addr, true, EADDRINUSE); /* it lives */
	join(fd, &addr, ends);
	part(ends);
	(void)close(fd);
	CHECK(sys_dial(&addr, &err) == -1 && errno == ECONNREFUSED);
	refused(&addr, false, EADDRINUSE);
	fd = serve(&addr, true);
	CHECK(fd != -1);
	join(fd, &addr, ends);
	part(ends);
	(void)close(fd);
	CHECK(unlink(hm_addr_path(&addr)) == 0);
	CHECK(sys_dial(&addr, &err) == -1 && errno == ENOENT);
}

/* Nobody answers at a file either, and yet it is no stale socket. */
static void
unix_precious(void)
{
	struct hm_addr addr = in_dir("precious"), link = in_dir("link");
	struct hm_addr folder = in_dir("folder");
	int fd = open(hm_addr_path(&addr), O_WRONLY | O_CREAT, 0600);
	char text[8];

	CHECK(fd != -1 && write(fd, "thesis", 6) == 6 && close(fd) == 0);
	refused(&addr, true, EADDRINUSE);
	CHECK(symlink(hm_addr_path(&addr), hm_addr_path(&link)) == 0);
	refused(&link, true, EADDRINUSE);
	CHECK(mkdir(hm_addr_path(&folder), 0700) == 0);
	refused(&folder, true, EADDRINUSE);
	fd = open(hm_addr_path(&link), O_RDONLY);
	CHECK(fd != -1 && read(fd, text, sizeof text) == 6);
	(void)close(fd);
	CHECK(rmdir(hm_addr_path(&folder)) == 0);
	CHECK(unlink(hm_addr_path(&link)) == 0);
	CHECK(unlink(hm_addr_path(&addr)) == 0);
}

static void
unix_any(void)
{
	struct hm_addr any = addr_of("unix"), got, other;
	int fd = sys_listen(&any, dir, 0600, false, &got, &err), ends[2], more;

	CHECK(fd != -1 && !got.any);
	CHECK(strncmp(hm_addr_path(&got), dir, strlen(dir)) == 0);
	more = sys_listen(&any, dir, 0600, false, &other, &err);
	CHECK(more != -1 && strcmp(got.text, other.text) != 0);
	join(fd, &got, ends);
	part(ends);
	(void)close(fd);
	(void)close(more);
	CHECK(unlink(hm_addr_path(&got)) == 0);
	CHECK(unlink(hm_addr_path(&other)) == 0);
	CHECK(sys_listen(&any,
		  "/a-directory-whose-name-alone-is-longer-than-what-fits-in-a"
		  "-socket-address-which-is-a-little-over-one-hundred-bytes",
		  0600, false, &got, &err) == -1);
	CHECK(err.code == ENAMETOOLONG);
}

static void
unix_abstract(void)
{
	char text[64];
	struct hm_addr addr;
#ifdef __linux__
	int fd, ends[2];
#endif

	(void)snprintf(text, sizeof text, "unix:@hm-test-%ld", (long)getpid());
	addr = addr_of(text);
#ifdef __linux__
	fd = serve(&addr, false);
	CHECK(fd != -1);
	refused(&addr, true, EADDRINUSE);
	join(fd, &addr, ends);
	part(ends);
	(void)close(fd);
	CHECK(access(text + 5, F_OK) == -1);
#else
	refused(&addr, false, ENOTSUP);
#endif
}

static void
unix_peer(void)
{
	struct hm_addr addr = in_dir("peer");
	int fd = serve(&addr, false), ends[2], i;
	uint32_t uid, pid;

	CHECK(fd != -1);
	join(fd, &addr, ends);
	for (i = 0; i < 2; i++) {
		born_right(ends[i]);
		CHECK(sys_peer(ends[i], &uid, &pid) == 0);
		CHECK(uid == geteuid());
#ifdef __linux__
		CHECK(pid == (uint32_t)getpid());
#endif
	}
	part(ends);
	CHECK(sys_peer(ends[0], &uid, &pid) == -1);
	CHECK(uid == UINT32_MAX && pid == 0);
	(void)close(fd);
	CHECK(unlink(hm_addr_path(&addr)) == 0);
}

/* --- tcp */

static int
option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof value;

	CHECK(getsockopt(fd, level, name, &value, &len) == 0);
	return value;
}

static void
tcp_tuned(void)
{
	struct hm_addr any = addr_of("tcp"), got;
	int fd = sys_listen(&any, dir, 0600, false, &got, &err), ends[2];

	CHECK(fd != -1 && !got.any);
	born_right(fd);
	CHECK(strncmp(got.text, "tcp:127.0.0.1:", 14) == 0);
	CHECK(strcmp(got.text, "tcp:127.0.0.1:0") != 0);
	join(fd, &got, ends);
	sys_tune(ends[1], HM_TRANSPORT_TCP);
	CHECK(option(ends[1], IPPROTO_TCP, TCP_NODELAY) != 0);
	CHECK(option(ends[1], SOL_SOCKET, SO_KEEPALIVE) != 0);
#ifdef TCP_KEEPIDLE
	CHECK(option(ends[1], IPPROTO_TCP, TCP_KEEPIDLE) == 15);
	CHECK(option(ends[1], IPPROTO_TCP, TCP_KEEPINTVL) == 5);
	CHECK(option(ends[1], IPPROTO_TCP, TCP_KEEPCNT) == 3);
#endif
	/* The server leaves first, and may be back at once. */
	part(ends);
	(void)close(fd);
	fd = serve(&got, false);
	CHECK(fd != -1);
	refused(&got, true, EADDRINUSE);
	(void)close(fd);
}

static void
tcp_refused(void)
{
	struct hm_addr any = addr_of("tcp"), got;
	struct pollfd one = {-1, POLLOUT, 0};
	int fd = sys_listen(&any, dir, 0600, false, &got, &err);

	CHECK(fd != -1);
	(void)close(fd);
	one.fd = sys_dial(&got, &err);
	if (one.fd == -1) {
		CHECK(errno == ECONNREFUSED);
		return;
	}
	CHECK(poll(&one, 1, 10000) == 1);
	CHECK(sys_connected(one.fd) == ECONNREFUSED);
	(void)close(one.fd);
}

/* tcp:*:0 is every interface, of both families where there are two. */
static void
tcp_wildcard(void)
{
	struct hm_addr all = addr_of("tcp:*:0"), got, loopback;
	int fd = sys_listen(&all, dir, 0600, false, &got, &err), six, ends[2];
	char text[160];

	CHECK(fd != -1 && got.wildcard);
	CHECK(strncmp(got.text, "tcp:*:", 6) == 0);
	CHECK(strcmp(got.text, "tcp:*:0") != 0);
	(void)snprintf(text, sizeof text, "tcp:127.0.0.1:%s", got.text + 6);
	loopback = addr_of(text);
	join(fd, &loopback, ends);
	part(ends);
	loopback = addr_of("tcp:[::1]:0");
	six = sys_listen(&loopback, dir, 0600, false, &all, &err);
	if (six != -1) {
		CHECK(strncmp(all.text, "tcp:[::1]:", 10) == 0);
		join(six, &all, ends);
		part(ends);
		(void)close(six);
		(void)snprintf(text, sizeof text, "tcp:[::1]:%s", got.text + 6);
		loopback = addr_of(text);
		join(fd, &loopback, ends);
		part(ends);
	}
	(void)close(fd);
}

static void
local(void)
{
	struct hm_addr addr = addr_of("local:12");

	refused(&addr, false, ENOTSUP);
	CHECK(sys_dial(&addr, &err) == -1 && err.code == ENOTSUP);
}

/* --- the directory */

static void
run_dir(const char *value)
{
	CHECK(setenv("XDG_RUNTIME_DIR", value, 1) == 0);
}

static void
dir_refused(const char *path)
{
	char got[128];

	CHECK(sys_socket_dir(got, sizeof got, true, &err) == -1);
	CHECK(err.code == EPERM && strstr(err.text, path) != NULL);
	CHECK(sys_socket_dir(got, sizeof got, false, &err) == -1);
}

static void
dir_checked(void)
{
	char want[96], got[128];
	struct stat st;

	run_dir(dir);
	(void)snprintf(want, sizeof want, "%s/hostmux", dir);
	CHECK(sys_socket_dir(got, sizeof got, false, &err) == 0);
	CHECK(strcmp(got, want) == 0 && access(want, F_OK) == -1);
	(void)umask(0);
	CHECK(sys_socket_dir(got, sizeof got, true, &err) == 0);
	(void)umask(022);
	CHECK(stat(want, &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(sys_socket_dir(got, sizeof got, true, &err) == 0);
	CHECK(chmod(want, 0710) == 0);
	dir_refused(want);
	CHECK(rmdir(want) == 0 && symlink(dir, want) == 0);
	dir_refused(want);
	CHECK(unlink(want) == 0);
	CHECK(close(open(want, O_WRONLY | O_CREAT, 0600)) == 0);
	dir_refused(want);
	CHECK(unlink(want) == 0);
	CHECK(sys_socket_dir(got, strlen(want), false, &err) == -1);
	CHECK(err.code == ENAMETOOLONG);
}

/* The variable counts only if it names a directory of ours. */
static void
dir_fallback(void)
{
	char want[96], got[128];

	(void)snprintf(want, sizeof want, "/tmp/hostmux-%ld", (long)geteuid());
	run_dir("relative");
	(void)sys_socket_dir(got, sizeof got, false, &err);
	CHECK(strcmp(got, want) == 0);
	run_dir("/no/such/directory");
	(void)sys_socket_dir(got, sizeof got, false, &err);
	CHECK(strcmp(got, want) == 0);
	if (geteuid() == 0) {
		CHECK(chown(dir, 1, (gid_t)-1) == 0);
		run_dir(dir);
		(void)sys_socket_dir(got, sizeof got, false, &err);
		CHECK(strcmp(got, want) == 0);
		CHECK(chown(dir, 0, (gid_t)-1) == 0);
	}
	CHECK(unsetenv("XDG_RUNTIME_DIR") == 0);
	(void)sys_socket_dir(got, sizeof got, false, &err);
	CHECK(strcmp(got, want) == 0);
	CHECK(sys_socket_dir(got, 4, false, &err) == -1);
	CHECK(err.code == ENAMETOOLONG);
}

int
main(void)
{
	(void)alarm(120);
	(void)umask(022);
	(void)snprintf(dir, sizeof dir, "/tmp/hostmux-socket-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	unix_mode();
	unix_stale();
	unix_precious();
	unix_any();
	unix_abstract();
	unix_peer();
	tcp_tuned();
	tcp_refused();
	tcp_wildcard();
	local();
	dir_checked();
	dir_fallback();
	CHECK(rmdir(dir) == 0); /* nothing is left */
	return 0;
}
