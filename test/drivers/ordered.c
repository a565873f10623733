/*
 * ordered and writer: answers given in any order come out in the order of
 * their questions, through a pipe that is hardly ever read; and what happens
 * when nobody reads it any more.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "tool/ordered.h"

#include "check.h"

#define QUESTIONS 20000u

static unsigned calls;

static void
on_written(void *arg)
{
	(void)arg;
	calls++;
}

/* Reads what is there and compares it with what must come next. */
static void
read_some(int fd, uint64_t *next)
{
	static char kept[128];
	static size_t n;
	char line[32];
	ssize_t got;
	size_t len;

	got = read(fd, kept + n, sizeof kept - n);
	if (got == -1 && errno == EAGAIN)
		return;
	CHECK(got > 0);
	n += (size_t)got;
	for (;;) {
		len =
		    (size_t)sprintf(line, "%llu\n", (unsigned long long)*next);
		if (*next % 7 == 0)
			len = (size_t)sprintf(line, "\n");
		if (n < len)
			return;
		CHECK(memcmp(kept, line, len) == 0);
		n -= len;
		memmove(kept, kept + len, n);
		++*next;
	}
}

static void
answer(struct ordered *ordered, uint64_t number)
{
	char text[32];
	int len = sprintf(text, "%llu", (unsigned long long)number);

	CHECK(ordered_open(ordered, number));
	CHECK(ordered_end(ordered, number, text,
		  number % 7 == 0 ? 0 : (size_t)len) == 0);
	CHECK(!ordered_open(ordered, number));
}

/* Any open question but the first, which goes one time in a hundred. */
static void
answer_any(struct ordered *ordered)
{
	uint64_t n = ordered->next - ordered->first;
	uint64_t number = ordered->first + check_random((unsigned)n);

	while (number < ordered->next && !ordered_open(ordered, number))
		number++;
	if (number == ordered->next ||
	    (number == ordered->first && check_random(100) > 0))
		number = ordered->first + (n > ORDERED_MAX / 2 ? 0 : n);
	if (number < ordered->next && ordered_open(ordered, number))
		answer(ordered, number);
}

static void
any_order(struct hm_loop *loop)
{
	static struct ordered ordered;
	struct writer writer;
	uint64_t next = 1;
	int fds[2];

	CHECK(sys_pipe(fds) == 0);
	writer_init(&writer, loop, fds[1], on_written, NULL);
	ordered_init(&ordered, &writer, '\n');
	while (next <= QUESTIONS) {
		if (ordered.next <= QUESTIONS && ordered_room(&ordered))
			CHECK(ordered_begin(&ordered) == ordered.next - 1);
		if (!ordered_done(&ordered))
			answer_any(&ordered);
		if (ordered.next > QUESTIONS && !ordered_done(&ordered))
			answer(&ordered, ordered.first);
		CHECK(ordered.next - ordered.first <= ORDERED_MAX);
		if (check_random(10) == 0)
			CHECK(hm_loop_turn(loop, 0) == 0);
		read_some(fds[0], &next);
	}
	CHECK(writer_waiting(&writer) == 0 && ordered.held == 0);
	CHECK(writer.put == writer.written && calls > 0);
	ordered_fini(&ordered);
	writer_fini(&writer);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* A reader that leaves is noticed though nothing is written. */
static void
nobody_reads(struct hm_loop *loop)
{
	struct writer writer;
	int fds[2];

	CHECK(sys_pipe(fds) == 0);
	writer_init(&writer, loop, fds[1], on_written, NULL);
	CHECK(hm_loop_turn(loop, 0) == 0 && writer.error == 0);
	(void)close(fds[0]);
	CHECK(hm_loop_turn(loop, 1000) == 0);
	CHECK(writer.error == EPIPE);
	writer_put(&writer, "x", 1);
	CHECK(writer_waiting(&writer) == 0);
	writer_fini(&writer);
	(void)close(fds[1]);
}

int
main(void)
{
	struct hm_loop *loop = hm_loop_new(NULL, NULL);

	CHECK(loop != NULL);
	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	any_order(loop);
	nobody_reads(loop);
	hm_loop_free(loop);
	return 0;
}
