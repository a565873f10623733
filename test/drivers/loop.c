/*
 * The loop and the descriptors it watches.  Stopping, freeing, closing and
 * reusing them inside callbacks is the point: nothing stopped is called, and
 * nothing freed is touched.
 */
#include "turn.h"

struct seen {
	struct hm_watch watch;
	int pipe[2], calls;
	short revents;
	struct seen *victim;
	void (*then)(struct seen *seen);
};

static void
on_seen(void *arg, int fd, short revents)
{
	struct seen *seen = arg;

	CHECK(fd == seen->watch.fd);
	seen->calls++;
	seen->revents = revents;
	if (seen->then != NULL)
		seen->then(seen);
}

static void
prepare(struct seen *seen)
{
	memset(seen, 0, sizeof *seen);
	seen->watch.fn = on_seen;
	seen->watch.arg = seen;
}

static void
seen_init(struct seen *seen)
{
	prepare(seen);
	CHECK(sys_pipe(seen->pipe) == 0);
	CHECK(hm_watch_start(loop, &seen->watch, seen->pipe[0], POLLIN) == 0);
}

static void
feed(const struct seen *seen)
{
	CHECK(write(seen->pipe[1], "x", 1) == 1);
}

static void
seen_fini(struct seen *seen)
{
	hm_watch_stop(loop, &seen->watch);
	(void)close(seen->pipe[0]);
	(void)close(seen->pipe[1]);
}

static void
watch_levels(void)
{
	struct seen a;
	char byte;

	seen_init(&a);
	turn(0);
	CHECK(a.calls == 0);
	feed(&a);
	turn(-1);
	turn(-1);
	CHECK(a.calls == 2 && a.revents == POLLIN);
	CHECK(hm_watch_start(loop, &a.watch, a.pipe[0], 0) == 0);
	turn(0);
	CHECK(a.calls == 2);
	CHECK(hm_watch_start(loop, &a.watch, a.pipe[0], POLLIN) == 0);
	CHECK(read(a.pipe[0], &byte, 1) == 1);
	turn(0);
	CHECK(a.calls == 2);
	/* Without any event asked for, the other end's leaving is told. */
	CHECK(hm_watch_start(loop, &a.watch, a.pipe[0], 0) == 0);
	(void)close(a.pipe[1]);
	turn(-1);
	CHECK(a.calls == 3 && (a.revents & POLLHUP) != 0);
	hm_watch_stop(loop, &a.watch);
	hm_watch_stop(loop, &a.watch);
	turn(0);
	CHECK(a.calls == 3);
	a.pipe[1] = -1;
	seen_fini(&a);
}

/* Starting on another descriptor is moving. */
static void
watch_moves(void)
{
	struct seen a, b;

	seen_init(&a);
	seen_init(&b);
	hm_watch_stop(loop, &b.watch);
	CHECK(hm_watch_start(loop, &a.watch, b.pipe[1], POLLOUT) == 0);
	feed(&a);
	turn(-1);
	CHECK(a.calls == 1 && a.revents == POLLOUT);
	CHECK(hm_watch_start(loop, &a.watch, -1, POLLIN) == -1);
	CHECK(errno == EBADF);
	seen_fini(&a);
	seen_fini(&b);
}

static struct seen *survivor;

static void
free_victim(struct seen *seen)
{
	if (seen->victim == NULL)
		return;
	survivor = seen;
	seen_fini(seen->victim);
	free(seen->victim);
	seen->victim = NULL;
}

/* Both are due, and the one that is called first frees the other. */
static void
watch_stops_another(void)
{
	struct seen *a = malloc(sizeof *a), *b = malloc(sizeof *b);

	CHECK(a != NULL && b != NULL);
	seen_init(a);
	seen_init(b);
	a->victim = b;
	b->victim = a;
	a->then = b->then = free_victim;
	feed(a);
	feed(b);
	turn(-1);
	CHECK(survivor->calls == 1);
	turn(-1);
	CHECK(survivor->calls == 2);
	seen_fini(survivor);
	free(survivor);
}

/* Another pipe takes the place of the victim's, number and watch. */
static void
replace_victim(struct seen *seen)
{
	struct seen *victim = seen->victim;
	int fd = victim->pipe[0], fds[2];

	if (survivor != NULL)
		return;
	survivor = seen;
	hm_watch_stop(loop, &victim->watch);
	(void)close(victim->pipe[1]);
	CHECK(sys_pipe(fds) == 0);
	CHECK(dup2(fds[0], fd) == fd);
	(void)close(fds[0]);
	victim->pipe[1] = fds[1];
	CHECK(hm_watch_start(loop, &victim->watch, fd, POLLIN) == 0);
}

static void
watch_reused(void)
{
	struct seen a, b;

	survivor = NULL;
	seen_init(&a);
	seen_init(&b);
	a.victim = &b;
	b.victim = &a;
	a.then = b.then = replace_victim;
	feed(&a);
	feed(&b);
	turn(-1);
	turn(-1);
	CHECK(survivor->calls == 2 && survivor->victim->calls == 0);
	feed(survivor->victim);
	turn(-1);
	CHECK(survivor->victim->calls == 1);
	seen_fini(&a);
	seen_fini(&b);
}

/* A descriptor closed too early, while a duplicate keeps it open (that of a
 * child which has not called exec yet): its events are nobody's. */
static void
watch_stale(void)
{
	struct seen a, b;
	int fd, kept;

	seen_init(&a);
	prepare(&b);
	CHECK(sys_pipe(b.pipe) == 0);
	feed(&a);
	fd = a.pipe[0];
	kept = dup(fd);
	CHECK(kept != -1 && dup2(b.pipe[0], fd) == fd);
	CHECK(hm_watch_start(loop, &b.watch, fd, POLLIN) == 0);
	hm_watch_stop(loop, &a.watch);
	turn(0);
	CHECK(a.calls == 0 && b.calls == 0);
	feed(&b);
	turn(-1);
	CHECK(a.calls == 0 && b.calls == 1);
	hm_watch_stop(loop, &b.watch);
	(void)close(kept);
	seen_fini(&a);
	seen_fini(&b);
}

/* More are ready than one turn serves: all get their turn, alike. */
static void
watch_many(void)
{
	enum { MANY = 600 };
	static struct seen many[MANY];
	struct seen source;
	int i, turns;

	seen_init(&source);
	hm_watch_stop(loop, &source.watch);
	feed(&source);
	for (i = 0; i < MANY; i++) {
		prepare(&many[i]);
		many[i].pipe[0] = dup(source.pipe[0]);
		many[i].pipe[1] = -1;
		CHECK(many[i].pipe[0] != -1);
		CHECK(hm_watch_start(
			  loop, &many[i].watch, many[i].pipe[0], POLLIN) == 0);
	}
	for (turns = 0; turns < 30; turns++)
		turn(-1);
	for (i = 0; i < MANY; i++)
		CHECK(many[i].calls >= 10 && many[i].calls <= 15);
	for (i = 0; i < MANY; i++)
		seen_fini(&many[i]);
	seen_fini(&source);
}

static void
turn_inside(struct seen *seen)
{
	seen->then = NULL;
	turn(0);
	if (seen->victim != NULL)
		free_victim(seen);
}

/* A turn inside a callback: nothing is called that it freed. */
static void
watch_turns_inside(void)
{
	struct seen a, *b = malloc(sizeof *b);

	CHECK(b != NULL);
	seen_init(&a);
	seen_init(b);
	a.victim = b;
	a.then = turn_inside;
	feed(&a);
	feed(b);
	turn(-1);
	CHECK(a.calls == 2 && a.victim == NULL);
	turn(-1);
	CHECK(a.calls == 3);
	seen_fini(&a);
}

/* What was polled for has changed before the step. */
static void
step_late(void)
{
	struct pollfd fds[16];
	struct seen a, b, c;
	size_t n;
	int next;

	seen_init(&a);
	seen_init(&b);
	feed(&a);
	feed(&b);
	CHECK(hm_loop_fill(loop, fds, 16, &n, &next) == 0);
	CHECK(poll(fds, (nfds_t)n, next) >= 2);
	hm_watch_stop(loop, &a.watch);
	seen_init(&c);
	CHECK(hm_loop_step(loop, fds, n) == 0);
	CHECK(a.calls == 0 && c.calls == 0);
	turn(-1);
	CHECK(a.calls == 0 && b.calls >= 1 && c.calls == 0);
	seen_fini(&a);
	seen_fini(&b);
	seen_fini(&c);
}

static bool
readable(int fd, int ms)
{
	struct pollfd one = {fd, POLLIN, 0};

	CHECK(poll(&one, 1, ms) != -1);
	return one.revents == POLLIN;
}

static void
count(void *arg)
{
	++*(int *)arg;
}

/* The one descriptor tells of timers and tasks, also of later ones, and is
 * quiet when there is nothing. */
static void
one_descriptor(bool epoll)
{
	int ticks = 0, tasks = 0, fd = hm_loop_fd(loop);
	struct hm_timer late = {.fn = count, .arg = &ticks}, soon = late;
	struct hm_task task = {.fn = count, .arg = &tasks};
	struct seen a;

	if (!epoll) {
		CHECK(fd == -1 && errno == ENOTSUP);
		return;
	}
	CHECK(fd != -1 && hm_loop_fd(loop) == fd);
	CHECK(!readable(fd, 10));
	CHECK(hm_timer_start(loop, &late, 60000) == 0);
	CHECK(hm_timer_start(loop, &soon, 10) == 0);
	CHECK(!readable(fd, 0) && readable(fd, 10000));
	CHECK(hm_loop_turn(loop, 0) == 0 && ticks == 1);
	CHECK(!readable(fd, 10));
	hm_timer_stop(loop, &late);
	hm_task_start(loop, &task);
	CHECK(readable(fd, 10000));
	CHECK(hm_loop_turn(loop, 0) == 0 && tasks == 1);
	CHECK(!readable(fd, 10));
	seen_init(&a);
	feed(&a);
	CHECK(readable(fd, 10000));
	seen_fini(&a);
	CHECK(!readable(fd, 0));
}

static void
on_log(void *arg, enum hm_level level, const char *text)
{
	CHECK(level == HM_LOG_INFO);
	(void)strcpy(arg, text);
}

static void
logs(void)
{
	char text[64] = "";

	hm_log(loop, HM_LOG_ERROR, "nobody hears");
	hm_loop_set_log(loop, on_log, text);
	hm_log(loop, HM_LOG_INFO, "%d of %s", 3, "w1");
	CHECK(strcmp(text, "3 of w1") == 0);
	hm_loop_set_log(loop, NULL, NULL);
}

static void
all(const char *backend)
{
	watch_levels();
	watch_moves();
	watch_stops_another();
	watch_reused();
	watch_stale();
	watch_many();
	watch_turns_inside();
	step_late();
	one_descriptor(strcmp(backend, "epoll") == 0);
	logs();
}

int
main(void)
{
	struct hm_error err;
	uint64_t old;

	sys_files_raise(&old);
	CHECK(hm_loop_new("kqueue", &err) == NULL);
	CHECK(err.code == EINVAL && strstr(err.text, "kqueue") != NULL);
	loop = hm_loop_new(NULL, NULL);
	CHECK(loop != NULL);
	hm_loop_free(loop);
	hm_loop_free(NULL);
	each_way(all);
	return 0;
}
