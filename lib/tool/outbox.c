/*
 * Reading, and keeping account.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/outbox.h"

#define AT(member) offsetof(struct outbox, member)

const struct tool_option outbox_options[] = {
    {"    --type T", "type of the messages (text/plain)", TOOL_TEXT,
	AT(template.type), 0},
    {"    --header K=V", "a header of the messages, repeatable", TOOL_LIST,
	AT(template.pairs), 0},
    {"    --whole", "all of stdin is one message", TOOL_FLAG,
	AT(template.whole), 0},
    {"    --null", "messages on stdin end with NUL", TOOL_FLAG,
	AT(template.null), 0},
    {"    --json", "each line is a whole message as JSON", TOOL_FLAG,
	AT(template.json), 0},
    {"    --now", "a refused connection is not retried", TOOL_FLAG,
	AT(template.now), 0},
    {"    --spread", "to one of those that fit, the least busy", TOOL_FLAG,
	AT(spread), 0},
    {"    --wait", "wait for a DEST that is not there yet", TOOL_FLAG, AT(wait),
	0},
    {"    --returned FD", "what comes back, as JSON lines, to FD", TOOL_FD,
	AT(returned_fd), 0},
    {"    --listen SPEC", "stand alone, serving this address", TOOL_TEXT,
	AT(client.listen), 0},
    {"-H, --host ADDR", TOOL_HOST_HELP, TOOL_TEXT, AT(client.host), 0},
    {"DEST", "PROC[,ACTOR[I][PORT]], a full id, or a pattern of names",
	TOOL_OPERAND, 0, 0},
    {"TEXT", "a message; without one, lines of stdin", TOOL_OPERAND, 0, 0},
    TOOL_OPTIONS_END,
};

void
outbox_init(struct outbox *outbox, struct tool *tool)
{
	memset(outbox, 0, sizeof *outbox);
	outbox->tool = tool;

	outbox->client.tool = tool;
	outbox->returned_fd = -1;
	client_begin();
}

static int
refuse(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)msg;
	return hm_refuse(self, "it only sends");
}

static void
on_lost(void *arg, const char *why)
{
	struct outbox *outbox = arg;

	tool_say(outbox->tool, HM_LOG_ERROR, "host lost (%s): %s",
	    hm_proc_host(outbox->client.proc), why);
	hm_proc_stop(outbox->client.proc, TOOL_NO);
}

/* An error here ends --returned, not what is under way. */
static void
on_returned_written(void *arg)
{
	struct outbox *outbox = arg;

	if (outbox->returned.error != 0 && outbox->returned_fd != -1) {
		tool_say(outbox->tool, HM_LOG_ERROR,
		    "write (descriptor %d): %s", outbox->returned_fd,
		    strerror(outbox->returned.error));
		outbox->returned_fd = -1;
		outbox->status = TOOL_SYSTEM;
	}
	outbox->pump(outbox->arg);
}

/* A number of its own, in case it is stdout and watched already. */
static int
open_returned(struct outbox *outbox)
{
	int fd;

	if (outbox->returned_fd == -1)
		return 0;
	fd = fcntl(outbox->returned_fd, F_DUPFD_CLOEXEC, 3);
	if (fd == -1) {
		tool_say(outbox->tool, HM_LOG_ERROR, "descriptor %d: %s",
		    outbox->returned_fd, strerror(errno));
		return TOOL_SYSTEM;
	}
	writer_init(&outbox->returned, outbox->client.loop, fd,
	    on_returned_written, outbox);
	return 0;
}

static int
find_dest(struct outbox *outbox, const char *dest)
{
	char base[HM_ADDR_SIZE] = "";
	struct hm_error err;

	if (client_base(&outbox->client, base, &err) == 0 &&
	    pool_fill(&outbox->pool, outbox->client.proc, dest, base,
		outbox->wait, &err) == 0)
		return 0;
	return tool_fail(outbox->tool, &err);
}

int
outbox_open(struct outbox *outbox, char **argv, hm_handler *answer,
    void (*pump)(void *arg), void *arg)
{
	struct hm_error err;
	struct client *client = &outbox->client;
	int status;

	if (argv[0] == NULL)
		tool_usage(outbox->tool, "no DEST");
	if (outbox->template.form == READER_WHOLE && argv[1] != NULL)
		tool_usage(outbox->tool, "--whole: not with TEXT");
	template_check(&outbox->template, outbox->tool);
	outbox->pump = pump;
	outbox->arg = arg;
	status = client_open(client, NULL);
	if (status != 0)
		return status;
	outbox->template.ttl = (unsigned)client->limits.ttl;
	status = find_dest(outbox, argv[0]);
	if (status == 0)
		status = open_returned(outbox);
	if (status != 0)
		return status;
	outbox->actor = hm_proc_spawn(
	    client->proc, "main", answer == NULL ? refuse : answer, arg, &err);
	if (outbox->actor == NULL)
		return tool_fail(outbox->tool, &err);
	hm_proc_on_lost(client->proc, on_lost, outbox);
	hm_proc_on_progress(client->proc, pump, arg);
	reader_init(&outbox->reader, argv + 1, STDIN_FILENO,
	    outbox->template.form, client->limits.max_message);
	outbox->reading = true;
	return 0;
}

int
outbox_finish(struct outbox *outbox, int status)
{
	if (status == 0 && outbox->failed > 0)
		status = TOOL_NO;
	if (status == 0)
		status = outbox->status;
	reader_fini(&outbox->reader);
	pool_fini(&outbox->pool);
	if (outbox->returned.loop != NULL) {
		writer_fini(&outbox->returned);
		(void)close(outbox->returned.fd);
	}
	client_close(&outbox->client);
	return status;
}

bool
outbox_next(struct outbox *outbox, struct hm_slice *text, struct hm_error *err)
{
	if (outbox->returned.loop != NULL &&
	    writer_waiting(&outbox->returned) > WRITER_FULL)
		return false;
	switch (reader_next(&outbox->reader, text)) {
	case READER_ONE:
		outbox->number++;
		return true;
	case READER_LONG:
		outbox->number++;
		text->p = NULL;
		(void)hm_fail(err, EMSGSIZE,
		    "longer than the largest message, %" PRIu64 " bytes",
		    outbox->client.limits.max_message);
		return true;
	case READER_BLOCKED:
		if (reader_wait(&outbox->reader, outbox->client.loop,
			outbox->pump, outbox->arg) == 0)
			return false;
		/* FALLTHROUGH */
	case READER_FAILED:
		tool_say(outbox->tool, HM_LOG_ERROR, "read (stdin): %s",
		    strerror(errno));
		outbox->status = TOOL_SYSTEM;
		outbox->reading = false;
		return false;
	case READER_END:
		outbox->reading = false;
		return false;
	}
	return false;
}

bool
outbox_settled(const struct outbox *outbox)
{
	return outbox->returned.loop == NULL ||
	       writer_waiting(&outbox->returned) == 0;
}

void
outbox_failed(struct outbox *outbox, uint64_t number, const struct hm_id *dest,
    enum hm_outcome kind, const char *why)
{
	char text[HM_ID_TEXT], which[64] = "";
	const char *to = "stdin";

	outbox->failed++;
	if (dest != NULL)
		to = client_short(dest, text);
	if (number > 0)
		(void)snprintf(which, sizeof which, "#%" PRIu64 ": ", number);
	tool_say(outbox->tool, HM_LOG_ERROR, "%s%s (%s): %s", which,
	    hm_outcome_name(kind), to, why);
}

static void
put_returned(struct outbox *outbox, const struct hm_envelope *env)
{
	struct hm_json_out out;
	size_t len;
	char *json;

	hm_json_out_init(&out);
	hm_envelope_print(env, &out);
	json = hm_json_out_take(&out, &len);
	if (json != NULL) {
		writer_put(&outbox->returned, json, len);
		writer_put(&outbox->returned, "\n", 1);
	} else {
		tool_say(outbox->tool, HM_LOG_ERROR, "--returned: no memory");
	}
	free(json);
}

void
outbox_returned(struct outbox *outbox, const struct hm_envelope *env,
    enum hm_outcome *kind, char why[HM_ERROR_TEXT])
{
	struct hm_slice reason = {"", 0}, at;
	size_t n = hm_envelope_errors(env);

	*kind = HM_UNKNOWN;
	if (n > 0)
		(void)hm_envelope_error_at(env, n - 1, kind, &reason, &at);
	(void)hm_text_safe(reason.p, reason.n, why, HM_ERROR_TEXT);
	if (outbox->returned.loop != NULL)
		put_returned(outbox, env);
}
