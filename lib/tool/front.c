/*
 * The front.
 *
 * It prints what the supervisor reports, and only then releases it: until that
 * word is said, the end of this process undoes the spawn.
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/talk.h"
#include "boot/warden.h"
#include "tool/front.h"
#include "tool/row.h"

/* Last lines shown of a proc that failed to spawn. */
#define TAIL_SHOWN 10
/* What the supervisor may say in one line: last lines of a proc, escaped. */
#define LINE_MAX_BYTES ((size_t)256 * 1024)

struct front {
	const struct tool *tool;
	const struct job *job;
	struct talk talk;
	struct table *table; /* NULL: JSON, or nothing is printed */
	bool json, over, fatal, hinted;
	unsigned ready, failed, ended;
	int *status; /* by rank */
	int fatal_status;
	int stdout_code; /* why it could not be written to */
};

static const char *const columns[] = {"PROC", "PID", "ADDR", "AGENT", NULL};

static int *
status_of(struct front *front, const struct hm_json *line)
{
	uint64_t rank;

	if (hm_json_u64(line, "rank", &rank) == -1 || rank >= front->job->count)
		return NULL;
	return &front->status[rank];
}

static void
take_ready(struct front *front, const struct hm_json *line)
{
	const char *cells[5];
	uint64_t pid = 0;
	char number[24];

	front->ready++;
	errno = 0;
	if (front->json) {
		row_print_json(line);
	} else if (front->table != NULL) {
		(void)hm_json_u64(line, "pid", &pid);
		(void)snprintf(
		    number, sizeof number, "%llu", (unsigned long long)pid);
		cells[0] = hm_json_string(line, "proc", "");
		cells[1] = number;
		cells[2] = hm_json_string(line, "addr", "");
		cells[3] = hm_json_string(line, "agent", "");
		cells[4] = NULL;
		(void)table_row(front->table, cells);
	}
	/* A libc may have tried before, and then flushes nothing. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && front->stdout_code == 0)
		front->stdout_code = errno;
}

static void
read_error(const struct hm_json *line, struct hm_error *err)
{
	uint64_t code = EIO;

	(void)hm_json_u64(line, "code", &code);
	(void)hm_fail_kind(err,
	    hm_error_kind_of(hm_json_string(line, "kind", "")), (int)code, "%s",
	    hm_json_string(line, "text", "no reason given"));
}

static void
show_tail(const struct hm_json *line)
{
	const struct hm_json *tail = hm_json_get(line, "tail"), *text;
	const char *name = hm_json_string(line, "name", "");
	char safe[1024];
	size_t i = 0;

	if (tail == NULL)
		return;
	for (text = tail->child; text != NULL; text = text->next) {
		if (i++ + TAIL_SHOWN < tail->len)
			continue;
		fprintf(stderr, "%s: %s\n", name,
		    hm_text_safe(text->string, text->len, safe, sizeof safe));
	}
}

/* Whoever did not call back may not know how. */
static void
give_hint(struct front *front)
{
	char *const *arg = front->job->argv;
	const char *base = strrchr(arg[0], '/');
	char text[256], safe[256];
	size_t len = 0;

	if (front->hinted ||
	    strcmp(base == NULL ? arg[0] : base + 1, "proc-boot") == 0)
		return;
	front->hinted = true;
	text[0] = '\0';
	for (; *arg != NULL && len < sizeof text; arg++)
		len += (size_t)snprintf(
		    text + len, sizeof text - len, " %s", *arg);
	tool_say(front->tool, HM_LOG_ERROR,
	    "does it boot? try: proc-spawn %s proc-boot%s", front->job->name,
	    hm_text_safe(text, strlen(text), safe, sizeof safe));
}

/* What a spawn that failed so makes proc-spawn exit with. */
static int
failure_status(const struct hm_error *err)
{
	if (err->kind != HM_ERR_SPAWN)
		return err->code == ETIMEDOUT ? TOOL_TIME : TOOL_NO;
	if (err->code == ENOENT)
		return TOOL_NOTFOUND;
	return tool_scarce(err->code) ? TOOL_SYSTEM : TOOL_NOEXEC;
}

static void
take_failed(struct front *front, const struct hm_json *line)
{
	struct hm_error err;
	int *status = status_of(front, line);

	front->failed++;
	read_error(line, &err);
	tool_say(front->tool, HM_LOG_ERROR, "%s", err.text);
	show_tail(line);
	if (err.kind == HM_ERR_CONFIGURE &&
	    (err.code == ETIMEDOUT || err.code == ECHILD))
		give_hint(front);
	if (status != NULL)
		*status = failure_status(&err);
}

static void
take_ended(struct front *front, const struct hm_json *line)
{
	int *status = status_of(front, line);
	uint64_t code = TOOL_WRAP;

	front->ended++;
	(void)hm_json_u64(line, "exit", &code);
	if (status != NULL && front->job->stay)
		*status = (int)code;
}

static void
take_fatal(struct front *front, const struct hm_json *line)
{
	struct hm_error err;

	read_error(line, &err);
	front->fatal = true;
	front->fatal_status = tool_fail(front->tool, &err);
}

static void
take_log(const struct front *front, const struct hm_json *line)
{
	uint64_t level = HM_LOG_WARNING;

	(void)hm_json_u64(line, "level", &level);
	if (level <= HM_LOG_DEBUG)
		tool_say(front->tool, (enum hm_level)level, "%s",
		    hm_json_string(line, "text", ""));
}

static int
on_line(void *arg, const struct hm_json *line)
{
	struct front *front = arg;
	const struct hm_json *what = line->child;

	if (what == NULL || line->type != HM_JSON_OBJECT)
		return -1;
	if (strcmp(what->key, "ready") == 0)
		take_ready(front, what);
	else if (strcmp(what->key, "failed") == 0)
		take_failed(front, what);
	else if (strcmp(what->key, "ended") == 0)
		take_ended(front, what);
	else if (strcmp(what->key, "fatal") == 0)
		take_fatal(front, what);
	else if (strcmp(what->key, "log") == 0)
		take_log(front, what);
	return 0;
}

static void
on_closed(void *arg)
{
	((struct front *)arg)->over = true;
}

static void
say(struct front *front, const char *key, int value)
{
	struct hm_json_out out;

	hm_json_begin(&out);
	if (value == 0)
		hm_json_put_bool(&out, key, true);
	else
		hm_json_put_i64(&out, key, value);
	(void)talk_say(&front->talk, &out);
}

static void
on_signal(void *arg, int sig)
{
	say(arg, "signal", sig);
}

/* With -w: what the caller does not ignore is passed on. */
static int
take_signals(struct front *front)
{
	static const int signals[] = {
	    SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
	sigset_t set;

	tool_signals(&set, signals, sizeof signals / sizeof *signals);
	return hm_loop_signals(front->talk.loop, &set, on_signal, front);
}

static bool
is_decided(const struct front *front)
{
	return front->ready + front->failed == front->job->count &&
	       (!front->job->stay || front->ended == front->ready);
}

/* The first status that is not 0, by rank; without -w, of many, 1 (124 if time
 * ran out for all that failed). */
static int
sum_up(const struct front *front)
{
	const struct job *job = front->job;
	int status = 0;
	unsigned i;

	for (i = 0; i < job->count; i++) {
		if (front->status[i] == 0)
			continue;
		if (status == 0)
			status = front->status[i];
		if (!job->stay && job->count > 1 &&
		    front->status[i] != TOOL_TIME)
			return TOOL_NO;
		if (job->stay)
			break;
	}
	return status;
}

static int
serve(struct front *front)
{
	while (!is_decided(front) && !front->fatal && !front->over) {
		if (hm_loop_turn(front->talk.loop, -1) == -1) {
			tool_say(front->tool, HM_LOG_ERROR, "loop: %s",
			    strerror(errno));
			return TOOL_SYSTEM;
		}
	}
	if (front->table != NULL) {
		(void)table_end(front->table);
		front->table = NULL;
	}
	if (front->fatal)
		return front->fatal_status;
	if (!is_decided(front)) {
		tool_say(front->tool, HM_LOG_ERROR,
		    "supervisor lost (%s): its procs have been ended",
		    front->job->name);
		return TOOL_WRAP;
	}
	say(front, "release", 0);
	return sum_up(front);
}

/* Nothing is left below the warden: it has gone, or will in a moment. */
static void
wait_for_warden(pid_t warden)
{
	while (waitpid(warden, NULL, 0) == -1 && errno == EINTR)
		continue;
}

static int
front_init(struct front *front, int fd)
{
	front->talk.loop = hm_loop_new(NULL, NULL);
	front->talk.line_max = LINE_MAX_BYTES;
	front->talk.said = on_line;
	front->talk.closed = on_closed;
	front->talk.arg = front;
	front->talk.watch.fd = -1;
	if (front->talk.loop == NULL) {
		(void)close(fd);
		return -1;
	}
	if (talk_start(&front->talk, fd) == -1)
		return -1;
	return front->job->stay ? take_signals(front) : 0;
}

/* The record is the result, unless CMD's output is. */
static bool
prints(const struct job *job)
{
	const char *const *output = job->outputs;

	while (*output != NULL && strcmp(*output, "stdout") != 0)
		output++;
	return *output == NULL;
}

int
front_run(const struct tool *tool, const struct job *job, bool json)
{
	struct front front;
	int fd, status = TOOL_SYSTEM;
	pid_t warden;

	memset(&front, 0, sizeof front);
	front.tool = tool;
	front.job = job;
	front.json = json && prints(job);
	front.status = calloc(job->count, sizeof *front.status);
	warden = front.status == NULL ? -1 : (pid_t)warden_start(job, &fd);
	if (warden == -1) {
		tool_say(tool, HM_LOG_ERROR, "fork: %s", strerror(errno));
		free(front.status);
		return status;
	}
	/* A caller that does not read is no reason to end. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (!json && prints(job))
		front.table = table_new(stdout, columns, NULL);
	if (front_init(&front, fd) == 0)
		status = serve(&front);
	else
		tool_say(tool, HM_LOG_ERROR, "loop: %s", strerror(errno));
	talk_stop(&front.talk);
	hm_loop_free(front.talk.loop);
	if (front.ready == front.ended)
		wait_for_warden(warden);
	free(front.status);
	errno = front.stdout_code;
	return tool_close(tool, status);
}
