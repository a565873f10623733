/*
 * msg-recv: a mailbox: prints what is sent to it.
 *
 * A message is delivered when it has been written out, so each is kept, with
 * the place of its end in the output, until the writer has come that far.
 * While nobody reads the output nothing more is taken, and senders wait.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/client.h"
#include "tool/template.h"
#include "tool/writer.h"

/* A message that is not written out yet. */
struct pending {
	struct pending *next;
	struct hm_envelope *msg;
	uint64_t end; /* where it ends in the output */
};

struct recv {
	struct client client;
	bool whole, null, json;
	enum reader_form form;
	uint64_t count; /* messages to take yet, if counted */
	bool counted;
	uint64_t idle; /* ms, 0: for ever */
	int ready_fd;
	const char *name;
	struct hm_actor *actor;
	struct writer out;
	struct pending *first, **end;
	uint64_t settled; /* bytes of output that belong to settled ones */
	struct hm_timer timer;
	uint64_t heard; /* when the last message came */
	bool leaving;	/* takes no more */
	int status, signal;
};

#define AT(member) offsetof(struct recv, member)

static const struct tool_option options[] = {
    {"-n, --count COUNT", "leave after so many messages", TOOL_COUNT, AT(count),
	UINT64_MAX},
    {"-t, --timeout IDLE", "leave when nothing has come for so long",
	TOOL_DURATION, AT(idle), 0},
    {"    --json", "print whole messages as JSON lines", TOOL_FLAG, AT(json),
	0},
    {"    --null", "end each payload with NUL, not newline", TOOL_FLAG,
	AT(null), 0},
    {"    --whole", "end it with nothing", TOOL_FLAG, AT(whole), 0},
    {"    --ready-fd N", "write a newline to N when attached", TOOL_FD,
	AT(ready_fd), 0},
    {"    --listen SPEC", "stand alone, serving this address", TOOL_TEXT,
	AT(client.listen), 0},
    {"-H, --host ADDR", TOOL_HOST_HELP, TOOL_TEXT, AT(client.host), 0},
    {"NAME", "to be known as; without it the id is printed on stderr",
	TOOL_OPERAND, 0, 0},
    TOOL_OPTIONS_END,
};

static struct tool tool = {"msg-recv",
    "[-n COUNT] [-t IDLE] [--json | --null | --whole] [--ready-fd N] "
    "[--listen SPEC] [NAME]",
    options, NULL, HM_LOG_WARNING, false};

static void
read_options(struct recv *recv, int argc, char **argv)
{
	char **names = tool_options(&tool, recv, argc, argv);

	recv->counted = recv->count > 0;
	recv->form = template_form(&tool, recv->whole, recv->null, recv->json);
	recv->name = names[0];
	if (recv->name == NULL)
		return;
	if (names[1] != NULL)
		tool_usage(&tool, "'%s': only one NAME", names[1]);
	if (!hm_name_valid(recv->name, strlen(recv->name)))
		tool_usage(&tool, "'%s' is no name of a proc", recv->name);
}

/* Takes no more; ends when what was taken is written, or cannot be. */
static void
leave(struct recv *recv, int status)
{
	if (!recv->leaving)
		recv->status = status;
	recv->leaving = true;
	hm_actor_pause(recv->actor, true);
	if (recv->first == NULL || recv->out.error != 0)
		hm_proc_stop(recv->client.proc, 0);
}

/* Settles what is written; in the end also what is not, and never will be. */
static void
settle(struct recv *recv, bool all)
{
	struct pending *next;

	while ((next = recv->first) != NULL) {
		if (next->end <= recv->out.written)
			hm_settle(next->msg, HM_DELIVERED, NULL);
		else if (!all)
			return;
		else if (recv->out.written > recv->settled)
			hm_settle(next->msg, HM_UNKNOWN,
			    "written in part, then the output ended");
		else
			hm_settle(next->msg, HM_NOT_SENT, "not written out");
		recv->settled = next->end;
		recv->first = next->next;
		if (recv->first == NULL)
			recv->end = &recv->first;
		free(next);
	}
}

static void
on_written(void *arg)
{
	struct recv *recv = arg;
	int error = recv->out.error;

	settle(recv, false);
	if (error != 0 && error != EPIPE && !recv->leaving)
		tool_say(
		    &tool, HM_LOG_ERROR, "write (stdout): %s", strerror(error));
	if (error != 0 || recv->leaving)
		leave(recv, error == EPIPE ? 0 : TOOL_SYSTEM);
	else if (recv->counted && recv->count == 0)
		leave(recv, 0);
	else if (writer_waiting(&recv->out) < WRITER_FULL / 2)
		hm_actor_pause(recv->actor, false);
}

static int
print(struct recv *recv, const struct hm_envelope *msg)
{
	struct hm_json_out out;
	size_t len;
	char *json;

	if (!recv->json) {
		writer_put(&recv->out, hm_payload(msg), hm_payload_len(msg));
		if (recv->form != READER_WHOLE)
			writer_put(&recv->out,
			    recv->form == READER_NULL ? "" : "\n", 1);
		return 0;
	}
	hm_json_out_init(&out);
	hm_envelope_print(msg, &out);
	json = hm_json_out_take(&out, &len);
	if (json == NULL)
		return -1;
	writer_put(&recv->out, json, len);
	writer_put(&recv->out, "\n", 1);
	free(json);
	return 0;
}

static int
on_message(struct hm_actor *self, struct hm_envelope *msg)
{
	struct recv *recv = hm_actor_arg(self);
	struct pending *pending = malloc(sizeof *pending);

	if (pending == NULL || print(recv, msg) == -1) {
		free(pending);
		return hm_refuse(self, "no memory");
	}
	if (recv->out.error != 0) {
		free(pending);
		return hm_refuse(self, "output has ended");
	}
	pending->next = NULL;
	pending->msg = msg;
	pending->end = recv->out.put;
	*recv->end = pending;
	recv->end = &pending->next;
	recv->heard = hm_loop_now(recv->client.loop);
	if (recv->counted && --recv->count == 0)
		hm_actor_pause(self, true);
	if (writer_waiting(&recv->out) > WRITER_FULL)
		hm_actor_pause(self, true);
	return HM_LATER;
}

static void
on_idle(void *arg)
{
	struct recv *recv = arg;
	uint64_t quiet = hm_loop_now(recv->client.loop) - recv->heard;

	if (quiet >= recv->idle)
		leave(recv, TOOL_TIME);
	else
		(void)hm_timer_start(
		    recv->client.loop, &recv->timer, recv->idle - quiet);
}

static void
on_lost(void *arg, const char *why)
{
	struct recv *recv = arg;

	tool_say(&tool, HM_LOG_ERROR, "host lost (%s): %s",
	    hm_proc_host(recv->client.proc), why);
	leave(recv, TOOL_NO);
}

/* Leaves in order, and then dies of it after all. */
static void
on_signal(void *arg, int sig)
{
	struct recv *recv = arg;

	recv->signal = sig;
	leave(recv, 0);
	hm_proc_stop(recv->client.proc, 0);
}

static int
watch_signals(struct recv *recv)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGTERM};
	sigset_t set;

	tool_signals(&set, signals, sizeof signals / sizeof *signals);
	return hm_loop_signals(recv->client.loop, &set, on_signal, recv);
}

/* Tells who waits for it that the mailbox is there. */
static void
announce(const struct recv *recv)
{
	char id[HM_ID_TEXT];

	if (recv->name == NULL || recv->client.listen != NULL)
		(void)fprintf(stderr, "%s\n",
		    hm_id_print(hm_proc_id(recv->client.proc), id, sizeof id));
	if (recv->ready_fd == -1)
		return;
	if (write(recv->ready_fd, "\n", 1) != 1)
		tool_say(&tool, HM_LOG_WARNING, "--ready-fd (%d): %s",
		    recv->ready_fd, strerror(errno));
	(void)close(recv->ready_fd);
}

static int
serve(struct recv *recv)
{
	struct hm_proc *proc = recv->client.proc;
	struct hm_error err;

	writer_init(
	    &recv->out, recv->client.loop, STDOUT_FILENO, on_written, recv);
	recv->actor = hm_proc_spawn(proc, "main", on_message, recv, &err);
	if (recv->actor == NULL)
		return tool_fail(&tool, &err);
	recv->heard = hm_loop_now(recv->client.loop);
	recv->timer.fn = on_idle;
	recv->timer.arg = recv;
	if (watch_signals(recv) == -1 ||
	    (recv->idle > 0 && hm_timer_start(recv->client.loop, &recv->timer,
				   recv->idle) == -1)) {
		tool_say(&tool, HM_LOG_ERROR, "%s", strerror(errno));
		return TOOL_SYSTEM;
	}
	hm_proc_on_lost(proc, on_lost, recv);
	announce(recv);
	if (recv->out.error != 0)
		on_written(recv);
	if (hm_proc_run(proc) != 0)
		return TOOL_SYSTEM;
	return recv->status;
}

int
main(int argc, char **argv)
{
	struct recv recv;
	int status;

	memset(&recv, 0, sizeof recv);
	recv.client.tool = &tool;
	recv.ready_fd = -1;
	recv.end = &recv.first;
	client_begin();
	read_options(&recv, argc, argv);
	status = client_open(&recv.client, recv.name);
	if (status == 0)
		status = serve(&recv);
	if (recv.actor != NULL)
		settle(&recv, true);
	writer_fini(&recv.out);
	if (recv.client.loop != NULL)
		hm_timer_stop(recv.client.loop, &recv.timer);
	client_close(&recv.client);
	if (recv.signal != 0)
		(void)raise(recv.signal);
	return status;
}
