/*
 * A world made up for routers in one process: a clock that goes when it is told
 * to, random numbers that are the same in every run, and connections that are
 * socket pairs.  These functions take the place of those in base/sys.c and
 * base/sys_socket.c, whose objects are not linked then; everything above them
 * is the library as it is.
 */
#ifndef WORLD_H
#define WORLD_H

#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "check.h"

#define PLACES 4
#define BACKLOG_MAX 32
#define WIRES 128

/* Where somebody listens: a byte can be read at fd for each that waits. */
struct place {
	char addr[HM_ADDR_SIZE];
	int fd, bell; /* -1: nobody */
	int waiting[BACKLOG_MAX];
	size_t n;
};

/* A connection: its two ends, of who dialed and of who is dialed, known again
 * by their inodes. */
struct wire {
	int fd[2];
	ino_t ino[2];
	unsigned node[2];
	bool cut;
};

static uint64_t world_now, world_seed;
static unsigned acting; /* whose turn it is */
static struct place places[PLACES];
static struct wire wires[WIRES];
static size_t nwires;

uint64_t
sys_now(void)
{
	return world_now;
}

int
sys_random(void *buf, size_t len)
{
	unsigned char *p = buf;

	while (len-- > 0) {
		world_seed = world_seed * 6364136223846793005u + 1u;
		*p++ = (unsigned char)(world_seed >> 56);
	}
	return 0;
}

static inline void
tame(int fd)
{
	CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	CHECK(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0);
}

int
sys_pipe(int fds[2])
{
	CHECK(pipe(fds) == 0);
	tame(fds[0]);
	tame(fds[1]);
	return 0;
}

void
sys_tune(int fd, enum hm_transport transport)
{
	(void)fd;
	(void)transport;
}

int
sys_peer(int fd, uint32_t *uid, uint32_t *pid)
{
	(void)fd;
	*uid = (uint32_t)geteuid();
	*pid = 1;
	return 0;
}

/* Nothing is ever in flight. */
int
sys_pending(int fd, struct sys_pending *pending)
{
	(void)fd;
	(void)pending;
	return -1;
}

int
sys_connected(int fd)
{
	(void)fd;
	return 0;
}

int
sys_listen(const struct hm_addr *addr, const char *dir, unsigned mode,
    bool replace, struct hm_addr *got, struct hm_error *err)
{
	struct place *place = &places[acting];
	int fds[2];

	(void)dir;
	(void)mode;
	(void)replace;
	(void)err;
	CHECK(place->bell == -1 && sys_pipe(fds) == 0);
	place->fd = fds[0];
	place->bell = fds[1];
	place->n = 0;
	(void)snprintf(place->addr, sizeof place->addr, "%s", addr->text);
	*got = *addr;
	return place->fd;
}

/* Nobody listens there any more: what waits finds itself closed. */
static inline void
place_close(struct place *place)
{
	(void)close(place->bell);
	place->bell = -1;
	while (place->n > 0)
		(void)close(place->waiting[--place->n]);
}

/* No socket of the world has a file. */
void
sys_bound_note(struct sys_bound *bound, const char *path)
{
	(void)path;
	memset(bound, 0, sizeof *bound);
}

void
sys_bound_remove(const struct sys_bound *bound, const char *path)
{
	(void)bound;
	(void)path;
}

int
sys_accept(int fd)
{
	struct place *place = &places[acting];
	char byte;
	int got;

	CHECK(place->fd == fd);
	if (read(fd, &byte, 1) != 1) {
		errno = EAGAIN;
		return -1;
	}
	CHECK(place->n > 0);
	got = place->waiting[0];
	memmove(place->waiting, place->waiting + 1,
	    --place->n * sizeof place->waiting[0]);
	return got;
}

static inline ino_t
inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

int
sys_dial(const struct hm_addr *addr, struct hm_error *err)
{
	struct place *place = places;
	struct wire *wire;
	int i;

	while (place < places + PLACES &&
	       (place->bell == -1 || strcmp(place->addr, addr->text) != 0))
		place++;
	if (place == places + PLACES)
		return hm_fail(err, ECONNREFUSED, "connect: refused");
	CHECK(nwires < WIRES && place->n < BACKLOG_MAX);
	wire = &wires[nwires++];
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, wire->fd) == 0);
	for (i = 0; i < 2; i++) {
		tame(wire->fd[i]);
		wire->ino[i] = inode(wire->fd[i]);
	}
	wire->node[0] = acting;
	wire->node[1] = (unsigned)(place - places);
	wire->cut = false;
	place->waiting[place->n++] = wire->fd[1];
	CHECK(write(place->bell, "", 1) == 1);
	return wire->fd[0];
}

static inline bool
end_open(struct wire *wire, int end)
{
	/* Closed once, it is another's when its number comes again. */
	if (wire->ino[end] != 0 && inode(wire->fd[end]) != wire->ino[end])
		wire->ino[end] = 0;
	return wire->ino[end] != 0;
}

static inline bool
wire_whole(struct wire *wire)
{
	return !wire->cut && end_open(wire, 0) && end_open(wire, 1);
}

/* It breaks; lost: with what is on its way in both directions. */
static inline void
wire_cut(struct wire *wire, bool lost)
{
	char bytes[4096];
	int i;

	for (i = 0; i < 2 && lost; i++) {
		while (end_open(wire, i) &&
		       recv(wire->fd[i], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
			continue;
	}
	for (i = 0; i < 2; i++) {
		if (end_open(wire, i))
			(void)shutdown(wire->fd[i], SHUT_RDWR);
	}
	wire->cut = true;
}

static inline void
world_begin(void)
{
	size_t i;

	world_now = 1000000;
	world_seed = 0;
	nwires = 0;
	for (i = 0; i < PLACES; i++)
		places[i].bell = -1;
}

#endif
