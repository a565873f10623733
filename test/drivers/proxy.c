/*
 * A TCP proxy that breaks what goes through it, for test/soak-settled.
 *
 * proxy tcp:127.0.0.1:PORT EVERY CUTS GAP SEED: says at which address it
 * listens, and passes on to that port.  After about EVERY bytes, both ways
 * together and at any byte of a record, it breaks the connection, CUTS times in
 * all, and says so, a line each; what it had read and not passed on is lost.
 * One cut in four comes so soon that it falls into the greeting or what follows
 * it.  After each there is no way for up to GAP ms.
 */
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define CONNS 16
#define BUF 65536
#define HALF_MS 50

enum manner {
	CLOSED,	 /* both sides at once */
	RESET,	 /* the same, by a reset */
	SHUT,	 /* an end of file in the middle of a record */
	STALLED, /* nothing goes for a while, then it is reset */
	HALF,	 /* one way nothing goes any more, the other goes on a little */
	MANNERS
};
static const char *const manners[] = {
    "closed", "reset", "shut", "stalled", "half"};

/* One way through: read from fd[i], written to fd[1 - i]. */
struct way {
	size_t start, len;
	unsigned char buf[BUF];
};

struct conn {
	int fd[2]; /* -1: none */
	int dead;  /* the way that is not passed on any more, -1 */
	struct way way[2];
};

static struct conn conns[CONNS];
static uint64_t state, every, cuts, gap, done, left, passed;
static uint64_t closed_until; /* ms of the clock */

static uint64_t
noise(uint64_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (state >> 33) % n;
}

/* How far it is to the next cut; the first is not so soon, who attaches has but
 * one dial. */
static void
next_cut(void)
{
	left = done > 0 && noise(4) == 0 ? noise(400) + 1
					 : every / 2 + noise(every) + 1;
	if (done == cuts)
		left = UINT64_MAX;
}

static void
end(struct conn *conn, bool reset)
{
	struct linger linger = {1, 0};
	int i;

	for (i = 0; i < 2; i++) {
		if (reset)
			(void)setsockopt(conn->fd[i], SOL_SOCKET, SO_LINGER,
			    &linger, sizeof linger);
		CHECK(close(conn->fd[i]) == 0);
		conn->fd[i] = -1;
	}
}

static void
pause_ms(uint64_t ms)
{
	struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000L};

	while (nanosleep(&t, &t) == -1)
		CHECK(errno == EINTR);
}

static uint64_t
now(void)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
cut(struct conn *conn)
{
	enum manner how = (enum manner)noise(MANNERS);

	if (how == HALF && conn->dead == -1) {
		conn->dead = (int)noise(2);
		left = noise(20000) + 1;
		return;
	}
	if (conn->dead != -1)
		how = HALF;
	if (how == STALLED)
		pause_ms(noise(150));
	if (how == SHUT) {
		(void)shutdown(conn->fd[0], SHUT_WR);
		(void)shutdown(conn->fd[1], SHUT_WR);
		pause_ms(noise(10));
	}
	end(conn, how == RESET || how == STALLED || noise(2) == 0);
	done++;
	printf("cut %llu at %llu after %llu bytes: %s\n",
	    (unsigned long long)done, (unsigned long long)now(),
	    (unsigned long long)passed, manners[how]);
	closed_until = now() + noise(gap + 1);
	next_cut();
}

static int
unblocked(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	CHECK(flags != -1 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
	return fd;
}

static void
add(int listening, const struct sockaddr_in *target)
{
	struct conn *conn = conns;
	int fd = accept(listening, NULL, NULL), to;

	if (fd == -1)
		return;
	if (now() < closed_until) {
		(void)close(fd);
		return;
	}
	while (conn < conns + CONNS && conn->fd[0] != -1)
		conn++;
	CHECK(conn < conns + CONNS);
	to = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(to != -1);
	/* Nobody there: this one is refused, too. */
	if (connect(to, (const struct sockaddr *)target, sizeof *target) ==
	    -1) {
		(void)close(to);
		(void)close(fd);
		return;
	}
	conn->fd[0] = unblocked(fd);
	conn->fd[1] = unblocked(to);
	conn->dead = -1;
	conn->way[0].len = conn->way[1].len = 0;
}

/* -1: that connection has ended. */
static int
fill(struct conn *conn, int i)
{
	struct way *way = &conn->way[i];
	ssize_t n = read(conn->fd[i], way->buf, BUF);

	if (n == -1 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return -1;
	way->start = 0;
	way->len = conn->dead == i ? 0 : (size_t)n;
	return 0;
}

/* -1: it has ended, or is cut now. */
static int
flush(struct conn *conn, int i)
{
	struct way *way = &conn->way[i];
	size_t len = way->len < left ? way->len : (size_t)left;
	ssize_t n = write(conn->fd[1 - i], way->buf + way->start, len);

	if (n == -1)
		return errno == EAGAIN ? 0 : -1;
	way->start += (size_t)n;
	way->len -= (size_t)n;
	passed += (uint64_t)n;
	if (left != UINT64_MAX)
		left -= (uint64_t)n;
	if (left == 0)
		cut(conn);
	return 0;
}

static void
serve(struct conn *conn, const struct pollfd *fds)
{
	int i;

	for (i = 0; i < 2 && conn->fd[0] != -1; i++) {
		if (conn->way[i].len == 0 && fds[i].revents != 0 &&
		    fill(conn, i) == -1)
			end(conn, false);
		else if (conn->way[i].len > 0 && flush(conn, i) == -1)
			end(conn, true);
	}
}

/* Where one way is dead the other may have nothing to say. */
static void
cut_halves(void)
{
	int i;

	for (i = 0; i < CONNS; i++) {
		if (conns[i].fd[0] != -1 && conns[i].dead != -1)
			cut(&conns[i]);
	}
}

static void
turn(int listening, const struct sockaddr_in *target)
{
	struct pollfd fds[1 + 2 * CONNS];
	struct conn *conn;
	int i, k, n, ms = -1;

	fds[0].fd = listening;
	fds[0].events = POLLIN;
	for (i = 0; i < CONNS; i++) {
		conn = &conns[i];
		if (conn->fd[0] != -1 && conn->dead != -1)
			ms = HALF_MS;
		for (k = 0; k < 2; k++) {
			fds[1 + 2 * i + k].fd = conn->fd[k];
			fds[1 + 2 * i + k].events =
			    (short)((conn->way[k].len == 0 ? POLLIN : 0) |
				    (conn->way[1 - k].len > 0 ? POLLOUT : 0));
			fds[1 + 2 * i + k].revents = 0;
		}
	}
	n = poll(fds, 1 + 2 * CONNS, ms);
	CHECK(n >= 0);
	if (n == 0)
		cut_halves();
	for (i = 0; i < CONNS && n > 0; i++) {
		if (conns[i].fd[0] != -1)
			serve(&conns[i], &fds[1 + 2 * i]);
	}
	if (fds[0].revents != 0)
		add(listening, target);
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in here, target;
	socklen_t len = sizeof here;
	int listening = socket(AF_INET, SOCK_STREAM, 0), i;

	CHECK(argc == 6 && strrchr(argv[1], ':') != NULL);
	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	every = strtoull(argv[2], NULL, 10);
	cuts = strtoull(argv[3], NULL, 10);
	gap = strtoull(argv[4], NULL, 10);
	state = strtoull(argv[5], NULL, 10);
	CHECK(every > 0);
	for (i = 0; i < CONNS; i++)
		conns[i].fd[0] = conns[i].fd[1] = -1;
	memset(&here, 0, sizeof here);
	here.sin_family = AF_INET;
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	target = here;
	target.sin_port =
	    htons((uint16_t)strtoul(strrchr(argv[1], ':') + 1, NULL, 10));
	CHECK(bind(listening, (struct sockaddr *)&here, sizeof here) == 0);
	CHECK(listen(listening, CONNS) == 0);
	CHECK(getsockname(listening, (struct sockaddr *)&here, &len) == 0);
	CHECK(setvbuf(stdout, NULL, _IOLBF, 0) == 0);
	printf("tcp:127.0.0.1:%u\n", (unsigned)ntohs(here.sin_port));
	next_cut();
	for (;;)
		turn(unblocked(listening), &target);
}
