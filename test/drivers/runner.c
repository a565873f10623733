/*
 * Modes of proc-boot, in one process: a proc that is linked to nothing, CMD
 * behind its actor main, and an actor that asks it.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "boot/runner.h"
#include "wire/record.h"

#include "check.h"

#define HEARD_MAX 4096

static struct runner r;
static struct hm_actor *asker;
static struct hm_timer begin;
/* What came: answers, and in brackets what was returned and why. */
static char heard[HEARD_MAX];
static unsigned expected; /* until so many have come */
static void (*script)(void);

static void
post(const char *actor, const char *text, size_t len, bool asks)
{
	struct hm_id dest, reply;
	struct hm_draft draft = {
	    NULL, &dest, "text/plain", 0, 0, asks ? &reply : NULL, NULL};
	struct hm_envelope *env;

	hm_id_set(&dest, "local:0", "local", actor, 0, 0);
	hm_port_id(asker, HM_PORT_DEFAULT, &reply);
	env = hm_envelope_new(&draft, text, len, NULL);
	CHECK(env != NULL && hm_post(asker, env) == 0);
}

static void
ask(const char *text)
{
	post("main", text, strlen(text), true);
}

static void
tell(const char *text)
{
	post("main", text, strlen(text), false);
}

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void
note(const char *fmt, ...)
{
	size_t len = strlen(heard);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(heard + len, sizeof heard - len, fmt, ap);
	va_end(ap);
	if (expected > 0 && --expected == 0)
		post("agent", "stop", 4, false);
}

static int
on_answer(struct hm_actor *self, struct hm_envelope *msg)
{
	size_t len = hm_payload_len(msg);

	(void)self;
	if (len > 40)
		note("<%zu bytes>", len);
	else
		note("<%.*s>", (int)len, (const char *)hm_payload(msg));
	return HM_TAKEN;
}

static void
on_return(struct hm_actor *self, struct hm_envelope *msg)
{
	enum hm_outcome kind;
	struct hm_slice why, at;

	(void)self;
	CHECK(hm_envelope_error_at(msg, 0, &kind, &why, &at));
	note("[%s: %.*s]", hm_outcome_name(kind), (int)why.n, why.p);
}

static void
on_begin(void *arg)
{
	(void)arg;
	script();
}

/* Runs CMD (of sh) in mode with the script, and says what was heard. */
static void
play(const struct mode *mode, const char *cmd, void (*fn)(void), unsigned n,
    int status)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)cmd, NULL};
	struct hm_error err;
	int got;

	heard[0] = '\0';
	expected = n;
	script = fn;
	r.mode = mode;
	r.argv = argv;
	if (r.max == 0)
		r.max = 1;
	r.loop = hm_loop_new(NULL, &err);
	CHECK(r.loop != NULL && runner_begin(&r) == 0);
	r.proc = hm_proc_local(r.loop, &err);
	CHECK(r.proc != NULL);
	asker = hm_proc_spawn(r.proc, "asker", on_answer, NULL, &err);
	CHECK(asker != NULL);
	hm_actor_on_return(asker, on_return);
	begin.fn = on_begin;
	CHECK(hm_timer_start(r.loop, &begin, 0) == 0);
	got = runner_run(&r, &err);
	if (got != status)
		fprintf(stderr, "ended with %d: %s\n", got, err.text);
	CHECK(got == status && expected == 0);
	runner_fini(&r);
	hm_proc_free(r.proc);
	hm_loop_free(r.loop);
}

static void
begin_anew(void)
{
	struct inheritance inherit = r.init.inherit;

	memset(&r, 0, sizeof r);
	r.init.inherit = inherit;
	hm_limits_init(&r.limits);
}

static void
expect(const char *text)
{
	if (strcmp(heard, text) != 0)
		fprintf(stderr, "heard:    %s\nexpected: %s\n", heard, text);
	CHECK(strcmp(heard, text) == 0);
	begin_anew();
}

/* Of those that want no answer the lines are dropped, wherever they stand. */
static void
say_mixed(void)
{
	tell("0");
	ask("1");
	tell("2");
	tell("3");
	ask("");
	ask("4");
	ask("two\nlines");
	tell("5");
}

static void
say_large(void)
{
	static char text[300000];

	memset(text, 'x', sizeof text);
	post("main", text, sizeof text, true);
	ask("after it");
}

static void
test_lines(void)
{
	play(&mode_lines, "cat", say_mixed, 4, 0);
	expect("[refused: a message to local is one line, and this has a "
	       "newline]<1><><4>");
	play(&mode_lines, "cat", say_large, 2, 0);
	expect("<300000 bytes><after it>");
	r.limits.max_message = 4000;
	play(&mode_lines,
	    "read -r l; printf '%05000d\\n' 0; read -r l; echo ok", say_mixed,
	    2, 0);
	/* The first line is of one that wants no answer. */
	expect("[refused: a message to local is one line, and this has a "
	       "newline]<ok>");
}

static void
say_to(void)
{
	ask("question");
	tell("a");
	tell("b");
}

static void
test_to(void)
{
	r.to = "local:0,local,asker";
	play(&mode_lines,
	    "while read -r l; do echo $l 1; echo $l 2; done; printf last",
	    say_to, 5, 0);
	/* The last one is printed after the end was asked for. */
	CHECK(
	    strstr(heard, "[refused: local sends its output to "
			  "local:0,local,asker and answers nothing]") == heard);
	CHECK(strstr(heard, "<a 1><a 2><b 1><b 2><last>") != NULL);
	begin_anew();
}

static void
say_three(void)
{
	ask("1");
	ask("2");
	ask("3");
}

static void
test_exec(void)
{
	int stderr_was;

	play(&mode_exec, "cat; echo; echo", say_three, 3, 0);
	expect("<1\n><2\n><3\n>");
	stderr_was = dup(STDERR_FILENO); /* which passes on what CMD says */
	CHECK(stderr_was != -1 && dup2(4, STDERR_FILENO) != -1);
	play(&mode_exec, "echo no >&2; echo reason >&2; exit 7", say_three, 3,
	    0);
	CHECK(dup2(stderr_was, STDERR_FILENO) != -1 && close(stderr_was) == 0);
	expect("[refused: CMD ended: Stopped(exit=7): no reason]"
	       "[refused: CMD ended: Stopped(exit=7): no reason]"
	       "[refused: CMD ended: Stopped(exit=7): no reason]");
	play(&mode_exec, "wc -c | tr -d ' '", say_large, 2, 0);
	expect("<300000><8>");
	r.limits.max_message = 1000;
	play(&mode_exec, "printf '%01001d' 0", say_three, 3, 0);
	CHECK(strstr(heard, "larger than 1000 bytes") != NULL);
	begin_anew();
}

static void
say_nothing(void)
{
}

/* A frame to the asker, and behind it what is none. */
static void
write_frames(const char *path)
{
	FILE *file = fopen(path, "w");
	struct hm_id dest;
	struct hm_draft draft = {NULL, &dest, "text/plain", 0, 0, NULL, NULL};
	struct hm_envelope *env;
	unsigned char length[4];

	hm_id_set(&dest, "local:0", "local", "asker", 0, 0);
	env = hm_envelope_new(&draft, "framed", 6, NULL);
	CHECK(file != NULL && env != NULL);
	hm_put32(length, (uint32_t)env->head_len);
	CHECK(fwrite(length, 1, 4, file) == 4);
	CHECK(fwrite(env->head, 1, env->head_len, file) == env->head_len);
	CHECK(fwrite(env->payload, 1, 6, file) == 6);
	CHECK(fprintf(file, "%0100d", 0) == 100 && fclose(file) == 0);
	hm_envelope_free(env);
}

static void
test_frames(void)
{
	char path[] = "/tmp/frames.XXXXXX", cmd[128];
	int fd = mkstemp(path);

	CHECK(fd != -1 && close(fd) == 0);
	write_frames(path);
	(void)snprintf(cmd, sizeof cmd,
	    "dd bs=1 if=%s 2>/dev/null >&4; cat <&3 >/dev/null", path);
	play(&mode_frames, cmd, say_nothing, 1, 0);
	expect("<framed>");
	CHECK(unlink(path) == 0);
	r.json = true;
	play(&mode_frames,
	    "echo nonsense >&4; echo '{\"dest\":\"local:0,local,asker\","
	    "\"payload\":\"hi\"}' >&4; cat <&3 >/dev/null",
	    say_nothing, 1, 0);
	expect("<hi>");
}

/* An end that nobody asked for is CMD's own. */
static void
test_ended(void)
{
	play(&mode_lines, "exit 5", say_three, 0, 5);
	begin_anew();
}

int
main(void)
{
	CHECK(init_prepare(&r.init) == 0);
	begin_anew();
	test_lines();
	test_to();
	test_exec();
	test_frames();
	test_ended();
	return 0;
}
