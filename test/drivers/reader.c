/*
 * reader: the same messages come out whatever the sizes they come in, of
 * lines, NUL-ended parts and everything; long ones are skipped whole; nothing
 * ever waits.
 */
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "tool/reader.h"

#include "check.h"

/* What the reader gives, as one text: each message in <>, ! for too long. */
static void
drain(struct reader *reader, char *out)
{
	struct hm_slice message;

	for (;;) {
		switch (reader_next(reader, &message)) {
		case READER_ONE:
			out +=
			    sprintf(out, "<%.*s>", (int)message.n, message.p);
			break;
		case READER_LONG:
			out += sprintf(out, "!");
			break;
		case READER_BLOCKED:
			(void)sprintf(out, "~");
			return;
		case READER_END:
			(void)sprintf(out, "$");
			return;
		case READER_FAILED:
			(void)sprintf(out, "?");
			return;
		}
	}
}

static void
without_waits(char *text)
{
	char *to = text;

	for (; *text != '\0'; text++) {
		if (*text != '~')
			*to++ = *text;
	}
	*to = '\0';
}

/* Written n bytes at a time, read in between. */
static void
expect(const char *in, size_t len, size_t n, enum reader_form form, size_t max,
    const char *wanted)
{
	struct reader reader;
	char got[4096] = "";
	size_t at, part;
	int fds[2];

	CHECK(sys_pipe(fds) == 0);
	reader_init(&reader, NULL, fds[0], form, max);
	for (at = 0; at < len; at += part) {
		part = len - at < n ? len - at : n;
		CHECK(write(fds[1], in + at, part) == (ssize_t)part);
		drain(&reader, got + strlen(got));
	}
	drain(&reader, got + strlen(got));
	CHECK(got[strlen(got) - 1] == '~');
	(void)close(fds[1]);
	drain(&reader, got + strlen(got));
	without_waits(got);
	CHECK(strcmp(got, wanted) == 0);
	CHECK(reader_next(&reader, &(struct hm_slice){"", 0}) == READER_END);
	reader_fini(&reader);
	(void)close(fds[0]);
}

static void
every_size(const char *in, size_t len, enum reader_form form, size_t max,
    const char *wanted)
{
	static const size_t sizes[] = {1, 2, 3, 7, 4096};
	size_t i;

	for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		expect(in, len, sizes[i], form, max, wanted);
}

static void
texts(void)
{
	char a[] = "one", b[] = "", c[] = "much too long";
	char *argv[] = {a, b, c, NULL};
	struct reader reader;
	char got[256];

	reader_init(&reader, argv, -1, READER_LINES, 8);
	drain(&reader, got);
	CHECK(strcmp(got, "<one><>!$") == 0);
	reader_fini(&reader);
}

/* Longer than a block, and than the buffer of a pipe. */
static void
large(void)
{
	static char line[200000];
	struct hm_slice message;
	struct reader reader;
	size_t at = 0;
	ssize_t n;
	int fds[2];

	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	CHECK(sys_pipe(fds) == 0);
	reader_init(&reader, NULL, fds[0], READER_LINES, sizeof line);
	while (at < sizeof line) {
		n = write(fds[1], line + at, sizeof line - at);
		CHECK(n > 0);
		at += (size_t)n;
		if (at < sizeof line)
			CHECK(reader_next(&reader, &message) == READER_BLOCKED);
	}
	CHECK(reader_next(&reader, &message) == READER_ONE);
	CHECK(message.n == sizeof line - 1);
	CHECK(memcmp(message.p, line, message.n) == 0);
	reader_fini(&reader);
	reader_init(&reader, NULL, -1, READER_LINES, 1);
	CHECK(reader_next(&reader, &message) != READER_ONE);
	reader_fini(&reader);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

int
main(void)
{
	static const char lines[] = "one\n\nthree\nlast";
	static const char parts[] = "a\nb\0\0c";
	static const char longs[] = "12345\n123456\n1\n1234567890";

	every_size(lines, sizeof lines - 1, READER_LINES, 100,
	    "<one><><three><last>$");
	every_size("x\n", 2, READER_LINES, 100, "<x>$");
	every_size("", 0, READER_LINES, 100, "$");
	every_size("", 0, READER_WHOLE, 100, "<>$");
	every_size(parts, sizeof parts - 1, READER_NULL, 100, "<a\nb><><c>$");
	every_size(lines, sizeof lines - 1, READER_WHOLE, 100,
	    "<one\n\nthree\nlast>$");
	every_size(lines, sizeof lines - 1, READER_WHOLE, 5, "!$");
	every_size(longs, sizeof longs - 1, READER_LINES, 5, "<12345>!<1>!$");
	texts();
	large();
	return 0;
}
