/*
 * Lines out of bytes at every size of read, long ones, the last without its
 * end, what is kept of them; and sinks that are full, slow or gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "boot/output.h"
#include "boot/sink.h"

#include "check.h"

static struct hm_loop *loop;
static char got[65536];
static size_t lines, longest;
static unsigned warnings;

static void
on_line(void *arg, const struct output *output, const char *text, size_t len)
{
	size_t used = strlen(got);

	CHECK(arg == &got && output->n == ++lines);
	if (len > longest)
		longest = len;
	if (used + len + 2 < sizeof got) {
		memcpy(got + used, text, len);
		memcpy(got + used + len, "|", 2);
	}
}

static void
begin(struct output *output, uint64_t *clock, int *writer)
{
	int fds[2];

	got[0] = '\0';
	lines = longest = 0;
	memset(output, 0, sizeof *output);
	output->loop = loop;
	output->stream = "stdout";
	output->line = on_line;
	output->arg = got;
	output->clock = clock;
	CHECK(sys_pipe(fds) == 0);
	CHECK(output_start(output, fds[0]) == 0);
	*writer = fds[1];
}

static char *
kept(const struct output *out, const struct output *err)
{
	struct hm_json_out json;

	hm_json_out_init(&json);
	hm_json_open(&json, NULL, '[');
	output_put_kept(out, err, &json);
	hm_json_close(&json, ']');
	return hm_json_out_take(&json, NULL);
}

static void
test_lines(void)
{
	static const char text[] = "one\n\nthree words here\nno end";
	size_t step, i, n;
	struct output output;
	uint64_t clock = 0;
	int fd;

	for (step = 1; step < sizeof text; step++) {
		begin(&output, &clock, &fd);
		for (i = 0; i < sizeof text - 1; i += n) {
			n = sizeof text - 1 - i < step ? sizeof text - 1 - i
						       : step;
			CHECK(write(fd, text + i, n) == (ssize_t)n);
			CHECK(hm_loop_turn(loop, 100) == 0);
		}
		/* The writer lives: the last words are had without waiting. */
		output_finish(&output);
		CHECK(strcmp(got, "one||three words here|no end|") == 0);
		CHECK(close(fd) == 0);
		output_fini(&output);
	}
}

static void
test_long_lines(void)
{
	static char text[3 * OUTPUT_LINE_MAX];
	struct output output;
	uint64_t clock = 0;
	int fd;

	memset(text, 'x', sizeof text);
	begin(&output, &clock, &fd);
	CHECK(write(fd, text, sizeof text) == (ssize_t)sizeof text);
	CHECK(write(fd, "\nshort\n", 7) == 7 && close(fd) == 0);
	while (output.watch.fd != -1)
		CHECK(hm_loop_turn(loop, 100) == 0);
	CHECK(longest == OUTPUT_LINE_MAX && (lines == 4 || lines == 5));
	CHECK(strstr(got, "|short|") != NULL);
	output_fini(&output);
}

static void
test_kept(void)
{
	struct output out, err;
	uint64_t clock = 0;
	char line[64], *text;
	int a, b, i;

	begin(&out, &clock, &a);
	begin(&err, &clock, &b);
	out.line = err.line = NULL;
	for (i = 0; i < 3; i++) {
		(void)snprintf(line, sizeof line, "o%d\n", i);
		CHECK(write(a, line, strlen(line)) > 0);
		CHECK(hm_loop_turn(loop, 100) == 0);
		CHECK(write(b, "e\n", 2) == 2);
		CHECK(hm_loop_turn(loop, 100) == 0);
	}
	text = kept(&out, &err);
	CHECK(strcmp(text, "[\"o0\",\"e\",\"o1\",\"e\",\"o2\",\"e\"]") == 0);
	free(text);
	for (i = 0; i < 1000; i++) {
		(void)snprintf(line, sizeof line, "%04d\n", i);
		CHECK(write(a, line, 5) == 5);
	}
	output_finish(&out);
	CHECK(out.lines == HM_TAIL_LINES);
	text = kept(&out, &err);
	CHECK(strstr(text, "\"0900\"") != NULL && strstr(text, "0899") == NULL);
	free(text);
	CHECK(close(a) == 0 && close(b) == 0);
	output_fini(&out);
	output_fini(&err);
}

static void
on_log(void *arg, enum hm_level level, const char *text)
{
	(void)arg;
	(void)text;
	warnings += level == HM_LOG_WARNING;
}

static void
print(struct sinks *sinks, const char *text, size_t times)
{
	struct hm_line line = {"stdout", 1, text, strlen(text)};
	struct hm_id id;

	hm_id_set(&id, "unix:/h", "w1", "", 0, 0);
	id.depth = HM_ID_PROC;
	while (times-- > 0)
		sinks_line(sinks, &id, &line);
	CHECK(hm_loop_turn(loop, 0) == 0);
}

static void
test_sinks(void)
{
	char path[] = "/tmp/hostmux-sink-XXXXXX", spec[64], text[64];
	struct sinks sinks;
	struct hm_error err;
	int fd = mkstemp(path), fds[2], old = dup(STDOUT_FILENO);
	size_t total = 0;
	ssize_t n;
	char bytes[4096];

	CHECK(fd != -1 && old != -1 && write(fd, "before\n", 7) == 7);
	CHECK(sink_check("-", false, &err) == -1 && err.code == EINVAL);
	CHECK(sink_check("-", true, &err) == 0);
	CHECK(sink_check("file:", true, &err) == -1);
	CHECK(sink_check("nonsense", true, &err) == -1);
	memset(&sinks, 0, sizeof sinks);
	sinks.loop = loop;
	(void)snprintf(spec, sizeof spec, "file:%s", path);
	CHECK(sinks_add(&sinks, spec, &err) == 0);
	CHECK(sinks_add(&sinks, "null", &err) == 0);
	if (access("/dev/full", W_OK) == 0)
		CHECK(sinks_add(&sinks, "file:/dev/full", &err) == 0);
	print(&sinks, "a line", 2);
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	n = read(fd, text, sizeof text);
	CHECK(n == 21 && memcmp(text, "before\na line\na line\n", 21) == 0);
	sinks_fini(&sinks);
	/* A reader of stdout that does not read stops nobody. */
	CHECK(pipe(fds) == 0 && dup2(fds[1], STDOUT_FILENO) != -1);
	CHECK(close(fds[1]) == 0);
	CHECK(sinks_add(&sinks, "stdout", &err) == 0);
	warnings = 0;
	print(&sinks, "0123456789abcdef0123456789abcde", 10000);
	CHECK(sinks_waiting(&sinks) && warnings == 1);
	/* It reads on: what was kept comes, and how many were dropped. */
	CHECK(sys_nonblock(fds[0]) == 0);
	while (sinks_waiting(&sinks)) {
		if ((n = read(fds[0], bytes, sizeof bytes)) > 0)
			total += (size_t)n;
		CHECK(hm_loop_turn(loop, 10) == 0);
	}
	CHECK(total >= 60000 && total % 32 == 0);
	while (read(fds[0], bytes, sizeof bytes) > 0)
		continue;
	print(&sinks, "again", 1);
	n = read(fds[0], bytes, sizeof bytes - 1);
	CHECK(n > 0);
	bytes[n] = '\0';
	CHECK(bytes[0] == '[' && strstr(bytes, " lines dropped]\nagain\n"));
	/* It is gone. */
	CHECK(close(fds[0]) == 0);
	print(&sinks, "nobody", 3);
	sinks_fini(&sinks);
	CHECK(dup2(old, STDOUT_FILENO) != -1 && close(old) == 0);
	CHECK(close(fd) == 0 && unlink(path) == 0);
}

int
main(void)
{
	struct hm_error err;

	(void)signal(SIGPIPE, SIG_IGN);
	loop = hm_loop_new(NULL, &err);
	CHECK(loop != NULL);
	hm_loop_set_log(loop, on_log, NULL);
	test_lines();
	test_long_lines();
	test_kept();
	test_sinks();
	hm_loop_free(loop);
	return 0;
}
