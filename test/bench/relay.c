/*
 * relay: the floor of a host.  It routes frames by name between Unix sockets,
 * in one thread, and promises nothing: a frame for nobody is dropped.
 *
 * A turn reads what is there from every ready peer into one arena, and notes
 * for each destination which bytes are its; at the end of the turn each gets
 * them in one writev, from where they were read.  What a peer does not take is
 * copied and waits, and whoever sends to a peer that has QUEUE_MAX waiting is
 * not read until half of it is gone.
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"
#include "frame.h"

#define ARENA (1u << 20)
#define READ_MAX (256u << 10)
#define LARGE (64u << 10) /* frames from here on get memory of their own */
#define QUEUE_MAX (8u << 20)
#define BUCKETS 8192
#define IOV 256 /* runs of bytes a destination may get in one turn */
#define EVENTS 256

#define SPARES 32      /* buffers kept for the next */
#define SPARE_MIN 4096 /* smaller ones are cheap */

/* Bytes that wait for a destination. */
struct block {
	struct block *next;
	size_t len, off;
	char *p;
};

struct peer {
	int fd;
	bool dead, dirty, paused;
	uint32_t events;
	char name[64];
	size_t name_len;
	char *part; /* of a frame that has not all come */
	size_t part_len, part_max;
	struct iovec *iov;
	int iovs;
	struct block *queue, **queue_end;
	size_t queued;
	struct peer *last; /* whom the last frame was for */
	struct peer *waits_for;
	struct peer *hash_next, *next, *prev;
	struct peer *dirty_next, *dead_next;
};

static struct {
	int epoll, listener;
	struct peer *names[BUCKETS], *peers, *dirty, *dead;
	size_t paused, used;
	struct {
		char *p;
		size_t size;
	} spares[SPARES];
	char arena[ARENA];
} relay;

/* Buffers come in powers of two, so that one fits the next. */
static size_t
room_for(size_t size)
{
	size_t room = SPARE_MIN;

	if (size <= SPARE_MIN)
		return size;
	while (room < size)
		room *= 2;
	return room;
}

/* A fresh page for every page of it would cost more than copying it. */
static char *
buffer_new(size_t size)
{
	size_t room = room_for(size);
	char *p;
	int i;

	for (i = 0; size > SPARE_MIN && i < SPARES; i++) {
		p = relay.spares[i].p;
		if (p == NULL || relay.spares[i].size != room)
			continue;
		relay.spares[i].p = NULL;
		return p;
	}
	p = malloc(room);
	if (p == NULL)
		bench_die("memory");
	return p;
}

/* Kept in the place of a smaller one, or in none's. */
static void
buffer_free(char *p, size_t size)
{
	size_t room = room_for(size);
	char *other;
	int i;

	for (i = 0; size > SPARE_MIN && i < SPARES; i++) {
		if (relay.spares[i].size >= room && relay.spares[i].p != NULL)
			continue;
		other = relay.spares[i].p;
		relay.spares[i].p = p;
		relay.spares[i].size = room;
		p = other;
		break;
	}
	free(p);
}

static struct peer **
bucket(const char *name, size_t len)
{
	uint32_t hash = 2166136261u;

	while (len-- > 0)
		hash = (hash ^ (unsigned char)*name++) * 16777619u;
	return &relay.names[hash % BUCKETS];
}

static struct peer *
find(const char *name, size_t len)
{
	struct peer *peer = *bucket(name, len);

	while (peer != NULL &&
	       (peer->name_len != len || memcmp(peer->name, name, len) != 0))
		peer = peer->hash_next;
	return peer;
}

static void
watch(struct peer *peer)
{
	struct epoll_event event;
	uint32_t events = (peer->paused ? 0u : (uint32_t)EPOLLIN) |
			  (peer->queue != NULL ? (uint32_t)EPOLLOUT : 0u);

	if (events == peer->events)
		return;
	memset(&event, 0, sizeof event);
	event.events = peer->events = events;
	event.data.ptr = peer;
	(void)epoll_ctl(relay.epoll, EPOLL_CTL_MOD, peer->fd, &event);
}

static void
die(struct peer *peer)
{
	if (peer->dead)
		return;
	peer->dead = true;
	peer->dead_next = relay.dead;
	relay.dead = peer;
}

static void
resume_senders(const struct peer *to)
{
	struct peer *peer;

	if (relay.paused == 0)
		return;
	for (peer = relay.peers; peer != NULL; peer = peer->next) {
		if (!peer->paused || peer->waits_for != to)
			continue;
		peer->paused = false;
		relay.paused--;
		watch(peer);
	}
}

/* Takes p, of which off bytes are written. */
static void
enqueue(struct peer *to, char *p, size_t off, size_t len)
{
	struct block *block = bench_alloc(sizeof *block);

	block->p = p;
	block->off = off;
	block->len = len;
	if (to->queue == NULL)
		to->queue_end = &to->queue;
	*to->queue_end = block;
	to->queue_end = &block->next;
	to->queued += len - off;
}

static void
drop_block(struct peer *peer)
{
	struct block *block = peer->queue;

	peer->queue = block->next;
	buffer_free(block->p, block->len);
	free(block);
}

/* Writes what waits; whatever is left waits for EPOLLOUT. */
static void
drain(struct peer *peer)
{
	struct block *block;
	ssize_t n = 0;

	while ((block = peer->queue) != NULL) {
		n = write(
		    peer->fd, block->p + block->off, block->len - block->off);
		if (n == -1)
			break;
		block->off += (size_t)n;
		peer->queued -= (size_t)n;
		if (block->off == block->len)
			drop_block(peer);
	}
	if (n == -1 && errno != EAGAIN)
		die(peer);
	watch(peer);
	if (peer->queued < QUEUE_MAX / 2)
		resume_senders(peer);
}

/* Copies what was not written of a turn's bytes. */
static void
keep(struct peer *peer, size_t written)
{
	struct iovec *iov, *end = peer->iov + peer->iovs;
	size_t n, skip, len = 0, all = 0;
	char *copy;

	for (iov = peer->iov; iov < end; iov++)
		all += iov->iov_len;
	if (all == written)
		return;
	copy = buffer_new(all - written);
	for (iov = peer->iov; iov < end; iov++) {
		skip = written < iov->iov_len ? written : iov->iov_len;
		written -= skip;
		n = iov->iov_len - skip;
		memcpy(copy + len, (char *)iov->iov_base + skip, n);
		len += n;
	}
	enqueue(peer, copy, 0, len);
}

static void
flush(struct peer *peer)
{
	ssize_t n = 0;

	if (peer->queue == NULL)
		n = writev(peer->fd, peer->iov, peer->iovs);
	if (n == -1 && errno != EAGAIN)
		die(peer);
	else
		keep(peer, n == -1 ? 0 : (size_t)n);
	peer->iovs = 0;
	watch(peer);
}

static void
flush_all(void)
{
	struct peer *peer;

	while ((peer = relay.dirty) != NULL) {
		relay.dirty = peer->dirty_next;
		peer->dirty = false;
		flush(peer);
	}
	relay.used = 0;
}

/* Notes for the end of the turn that to gets these bytes. */
static void
gather(struct peer *to, char *p, size_t len)
{
	struct iovec *last;

	if (to->iov == NULL)
		to->iov = bench_alloc(IOV * sizeof *to->iov);
	last = to->iov + to->iovs - 1;
	if (to->iovs > 0 && (char *)last->iov_base + last->iov_len == p) {
		last->iov_len += len;
		return;
	}
	if (to->iovs == IOV)
		flush(to);
	to->iov[to->iovs].iov_base = p;
	to->iov[to->iovs++].iov_len = len;
	if (to->dirty)
		return;
	to->dirty = true;
	to->dirty_next = relay.dirty;
	relay.dirty = to;
}

static struct peer *
destination(struct peer *from, const struct frame *frame, const char *name)
{
	struct peer *to = from->last;

	if (to == NULL || to->name_len != frame->to ||
	    memcmp(to->name, name, frame->to) != 0)
		to = from->last = find(name, frame->to);
	return to == NULL || to->dead ? NULL : to;
}

static void
take_name(struct peer *peer, const struct frame *frame, const char *name)
{
	struct peer **head;

	if (frame->from >= sizeof peer->name || peer->name_len > 0) {
		die(peer);
		return;
	}
	memcpy(peer->name, name, frame->from);
	peer->name_len = frame->from;
	head = bucket(name, frame->from);
	peer->hash_next = *head;
	*head = peer;
}

/* The destination of a whole frame at p, and the sender waits if it is full. */
static struct peer *
route(struct peer *from, const struct frame *frame, const char *p)
{
	struct peer *to;

	if (frame->kind == FRAME_NAME) {
		take_name(from, frame, p + sizeof *frame + frame->to);
		return NULL;
	}
	to = destination(from, frame, p + sizeof *frame);
	if (to != NULL && to->queued > QUEUE_MAX && !from->paused) {
		from->paused = true;
		from->waits_for = to;
		relay.paused++;
		watch(from);
	}
	return to;
}

/* A large frame has all come, in memory of its own. */
static void
pass_large(struct peer *from)
{
	char *p = from->part;
	struct frame frame;
	struct peer *to;
	ssize_t n = 0;

	memcpy(&frame, p, sizeof frame);
	from->part = NULL;
	from->part_len = from->part_max = 0;
	to = route(from, &frame, p);
	if (to == NULL) {
		buffer_free(p, frame.len);
		return;
	}
	if (to->iovs > 0)
		flush(to);
	if (to->queue == NULL)
		n = write(to->fd, p, frame.len);
	if (n == -1 && errno != EAGAIN)
		die(to);
	if (n == (ssize_t)frame.len)
		buffer_free(p, frame.len);
	else
		enqueue(to, p, n == -1 ? 0 : (size_t)n, frame.len);
	watch(to);
}

/* The beginning of a frame waits for the rest. */
static void
stash(struct peer *peer, const char *p, size_t len, size_t whole)
{
	free(peer->part);
	peer->part = buffer_new(whole > LARGE ? whole : len);
	memcpy(peer->part, p, len);
	peer->part_len = len;
	peer->part_max = whole > LARGE ? whole : 0;
}

static void
parse(struct peer *peer, char *p, size_t len)
{
	struct frame frame;
	struct peer *to;

	frame.len = 0;
	while (len >= sizeof frame && !peer->dead) {
		memcpy(&frame, p, sizeof frame);
		if (len < frame.len)
			break;
		to = route(peer, &frame, p);
		if (to != NULL)
			gather(to, p, frame.len);
		p += frame.len;
		len -= frame.len;
		frame.len = 0;
	}
	if (len > 0)
		stash(peer, p, len, frame.len);
}

/* Reads more of a large frame, right to where it is kept. */
static ssize_t
read_large(struct peer *peer)
{
	ssize_t n = read(peer->fd, peer->part + peer->part_len,
	    peer->part_max - peer->part_len);

	if (n > 0)
		peer->part_len += (size_t)n;
	if (n > 0 && peer->part_len == peer->part_max)
		pass_large(peer);
	return n;
}

static ssize_t
read_small(struct peer *peer)
{
	size_t kept = peer->part_len;
	char *p;
	ssize_t n;

	if (ARENA - relay.used < READ_MAX)
		flush_all();
	p = relay.arena + relay.used;
	n = read(peer->fd, p + kept, READ_MAX - kept);
	if (n <= 0)
		return n;
	memcpy(p, peer->part, kept);
	free(peer->part);
	peer->part = NULL;
	peer->part_len = 0;
	relay.used += kept + (size_t)n;
	parse(peer, p, kept + (size_t)n);
	return n;
}

static void
serve(struct peer *peer, uint32_t events)
{
	ssize_t n;

	if (peer->dead)
		return;
	if (events & EPOLLOUT)
		drain(peer);
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
		return;
	n = peer->part_max > 0 ? read_large(peer) : read_small(peer);
	if (n == 0 || (n == -1 && errno != EAGAIN))
		die(peer);
}

static void
welcome(void)
{
	struct epoll_event event;
	struct peer *peer;
	int fd;

	while ((fd = accept(relay.listener, NULL, NULL)) != -1) {
		bench_nonblocking(fd);
		peer = bench_alloc(sizeof *peer);
		peer->fd = fd;
		peer->events = EPOLLIN;
		peer->next = relay.peers;
		if (peer->next != NULL)
			peer->next->prev = peer;
		relay.peers = peer;
		memset(&event, 0, sizeof event);
		event.events = EPOLLIN;
		event.data.ptr = peer;
		if (epoll_ctl(relay.epoll, EPOLL_CTL_ADD, fd, &event) == -1)
			bench_die("epoll_ctl");
	}
}

static void
forget(struct peer *peer)
{
	struct peer *other, **at = bucket(peer->name, peer->name_len);

	while (*at != NULL && *at != peer)
		at = &(*at)->hash_next;
	if (*at != NULL)
		*at = peer->hash_next;
	for (other = relay.peers; other != NULL; other = other->next)
		if (other->last == peer)
			other->last = NULL;
	if (peer->prev != NULL)
		peer->prev->next = peer->next;
	else
		relay.peers = peer->next;
	if (peer->next != NULL)
		peer->next->prev = peer->prev;
}

static void
bury(struct peer *peer)
{
	resume_senders(peer);
	forget(peer);
	if (peer->paused)
		relay.paused--;
	while (peer->queue != NULL)
		drop_block(peer);
	(void)close(peer->fd);
	free(peer->iov);
	free(peer->part);
	free(peer);
}

static void
turn(void)
{
	struct epoll_event events[EVENTS];
	struct peer *peer;
	int i, n = epoll_wait(relay.epoll, events, EVENTS, -1);

	for (i = 0; i < n; i++)
		if (events[i].data.ptr == NULL)
			welcome();
		else
			serve(events[i].data.ptr, events[i].events);
	flush_all();
	while ((peer = relay.dead) != NULL) {
		relay.dead = peer->dead_next;
		bury(peer);
	}
}

static void
run(char **operands)
{
	struct epoll_event event;

	relay.listener = bench_listen(operands[0]);
	relay.epoll = epoll_create1(EPOLL_CLOEXEC);
	memset(&event, 0, sizeof event);
	event.events = EPOLLIN;
	if (epoll_ctl(relay.epoll, EPOLL_CTL_ADD, relay.listener, &event) == -1)
		bench_die("epoll_ctl");
	for (;;)
		turn();
}

int
main(int argc, char **argv)
{
	static const struct bench_mode modes[] = {
	    {"serve", "PATH", 1, run}, {NULL, NULL, 0, NULL}};

	return bench_main(NULL, modes, argc, argv);
}
