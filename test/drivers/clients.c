/*
 * Clients, mailboxes and receivers: driven by their callers.
 */
#include <errno.h>

#include "proc.h"

static int
echo(struct hm_actor *self, struct hm_envelope *msg)
{
	return hm_reply(self, msg, hm_payload(msg), hm_payload_len(msg));
}

static int
fail_at_once(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)msg;
	return hm_actor_fail(self, "boom");
}

static const struct hm_behaviour failing = {
    NULL, fail_at_once, NULL, NULL, NULL};

static void
expect(struct hm_actor *actor, uint64_t port, const char *text)
{
	struct hm_envelope *msg = hm_port_recv(actor, port, 5000, &err);

	CHECK(msg != NULL && says(msg, text));
	hm_settle(msg, HM_DELIVERED, NULL);
}

static char returned[256];

static void
on_return(struct hm_actor *self, struct hm_envelope *env)
{
	enum hm_outcome kind;
	struct hm_slice why, at;

	(void)self;
	CHECK(hm_envelope_error_at(env, 0, &kind, &why, &at));
	(void)snprintf(returned, sizeof returned, "%.*s", (int)why.n, why.p);
}

static void
comes_back(const char *why)
{
	UNTIL(strcmp(returned, why) == 0);
	returned[0] = '\0';
}

/* test_instance: status client, driven by its caller; its end leaves a
 * snapshot. */
static void
instance(void)
{
	struct hm_actor *client, *other;
	struct hm_actor_status status;
	struct seen seen;
	struct hm_id id;

	proc_begin();
	client = hm_proc_instance(proc, "me", &err);
	other = hm_proc_instance(proc, "other", &err);
	CHECK(client != NULL && other != NULL);
	CHECK(hm_proc_instance(proc, "me", &err) == NULL && err.code == EEXIST);
	id = id_of(client);
	CHECK(hm_proc_find(proc, &id) == client);
	hm_actor_status(client, &status);
	CHECK(status.state == HM_ACTOR_CLIENT);
	post_text(other, client, "hello");
	expect(client, HM_PORT_DEFAULT, "hello");
	CHECK(hm_actor_messages(client) == 1 && hm_proc_unsettled(proc) == 0);
	CHECK(hm_actor_stop(client, "no") == -1 && errno == EPERM);
	CHECK(hm_actor_abort(client, "no") == -1 && errno == EPERM);
	CHECK(hm_port_try_recv(client, 0) == NULL && errno == EAGAIN);
	CHECK(hm_port_recv(client, 0, 20, &err) == NULL);
	CHECK(err.code == ETIMEDOUT);
	hm_actor_on_return(other, on_return);
	post_text(other, client, "late");
	watch(client, &seen);
	hm_actor_free(client);
	CHECK(has_ended(&seen, HM_ACTOR_STOPPED, "instance is dropped"));
	comes_back("port 0 of actor 'me' is closed");
	CHECK(strstr(hm_proc_terminated(proc, &id),
		  "\"reason\":\"instance is dropped\"") != NULL);
	hm_actor_free(other);
	proc_end();
}

/* Receiving ports: once, drained, closed, unknown. */
static void
receivers(void)
{
	struct hm_actor *client, *from;
	struct hm_envelope *msgs[8];
	uint64_t port, once;
	struct hm_id dest;
	size_t i, n;

	proc_begin();
	client = hm_proc_instance(proc, "me", &err);
	from = hm_proc_instance(proc, "from", &err);
	hm_actor_on_return(from, on_return);
	port = hm_port_open_receiver(client, false);
	once = hm_port_open_receiver(client, true);
	CHECK(port >= HM_PORT_FIRST && once == port + 1);
	hm_port_id(client, port, &dest);
	post_to(from, &dest, "a");
	post_to(from, &dest, "b");
	post_to(from, &dest, "c");
	CHECK(hm_port_drain(client, port, msgs, 2) == 2);
	CHECK(says(msgs[0], "a") && says(msgs[1], "b"));
	n = 2 + hm_port_drain(client, port, msgs + 2, 6);
	CHECK(n == 3 && says(msgs[2], "c"));
	CHECK(hm_proc_unsettled(proc) == 3);
	for (i = 0; i < n; i++)
		hm_settle(msgs[i], HM_DELIVERED, NULL);
	CHECK(hm_proc_unsettled(proc) == 0);
	/* One message, then it is closed. */
	hm_port_id(client, once, &dest);
	post_to(from, &dest, "first");
	post_to(from, &dest, "second");
	comes_back("port 1025 of actor 'me' takes one message");
	expect(client, once, "first");
	post_to(from, &dest, "third");
	comes_back("no port 1025 at local,me");
	CHECK(hm_port_recv(client, once, 0, &err) == NULL);
	CHECK(err.code == ECANCELED);
	/* What waits at a port that is closed comes back. */
	hm_port_id(client, port, &dest);
	post_to(from, &dest, "d");
	hm_port_close(client, port);
	comes_back("port 1024 of actor 'me' is closed");
	CHECK(hm_port_open_receiver(client, false) == once + 1);
	hm_actor_free(client);
	hm_actor_free(from);
	proc_end();
}

/* test_attach: a mailbox at the root and under an actor. */
static void
mailboxes(void)
{
	struct hm_actor *root, *box, *child, *from;

	proc_begin();
	from = hm_proc_instance(proc, "from", &err);
	hm_actor_on_return(from, on_return);
	root = spawn("r", &failing, NULL);
	box = hm_proc_attach_mailbox(proc, "box", &err);
	child = hm_actor_attach_mailbox(root, &err);
	CHECK(box != NULL && child != NULL);
	CHECK(hm_proc_attach_mailbox(proc, "r", &err) == NULL);
	CHECK(err.code == EEXIST && id_of(child).index == 1);
	post_text(from, box, "one");
	post_text(box, child, "two");
	expect(box, HM_PORT_DEFAULT, "one");
	expect(child, HM_PORT_DEFAULT, "two");
	post_text(from, child, "three");
	CHECK(hm_actor_abort(root, "gone") == 0);
	comes_back("port 0 of actor 'r[1]' is closed");
	CHECK(hm_proc_actor(proc, "r") == NULL);
	hm_actor_free(child);
	hm_actor_free(box);
	CHECK(hm_proc_attach_mailbox(proc, "box", &err) != NULL);
	proc_end();
}

static bool
has(struct hm_envelope *msg, const char *type, const char *part)
{
	char text[1024];
	bool found;

	CHECK(msg != NULL && hm_envelope_type_is(msg, type));
	(void)snprintf(text, sizeof text, "%.*s", (int)hm_payload_len(msg),
	    (const char *)hm_payload(msg));
	found = strstr(text, part) != NULL;
	hm_settle(msg, HM_DELIVERED, NULL);
	return found;
}

/* test_actor_instance: its caller reads work, signals and events. */
static void
inverted(void)
{
	struct hm_actor *self, *child, *from;
	struct hm_id dest;
	struct seen seen;

	proc_begin();
	from = hm_proc_instance(proc, "from", &err);
	hm_actor_on_return(from, on_return);
	self = hm_proc_actor_instance(proc, "self", &err);
	CHECK(self != NULL);
	watch(self, &seen);
	CHECK(seen.status.state == HM_ACTOR_IDLE);
	post_text(from, self, "work");
	expect(self, HM_PORT_DEFAULT, "work");
	child = spawn_child(self, &failing, NULL);
	post_text(self, child, "x");
	CHECK(has(hm_port_recv(self, HM_PORT_SUPERVISION, 5000, &err),
	    HM_TYPE_EVENT, "\"failed\":true,\"reason\":\"boom\""));
	CHECK(seen.changes == 0);
	CHECK(hm_actor_stop(self, "please") == 0);
	CHECK(hm_actor_stop(self, "again") == 0);
	CHECK(has(hm_port_recv(self, HM_PORT_SIGNAL, 5000, &err),
	    HM_TYPE_SIGNAL, "{\"signal\":\"stop\",\"reason\":\"please\"}"));
	CHECK(hm_port_try_recv(self, HM_PORT_SIGNAL) == NULL);
	/* Nobody else writes there. */
	hm_port_id(self, HM_PORT_SIGNAL, &dest);
	post_to(from, &dest, "{\"signal\":\"nonsense\"}");
	comes_back("signals are stop and abort");
	(void)spawn_child(self, &failing, NULL);
	CHECK(hm_actor_fail(self, "gave up %d", 7) == HM_NO);
	CHECK(hm_proc_run(proc) == 1);
	CHECK(has_ended(&seen, HM_ACTOR_FAILED, "gave up 7"));
	CHECK(strstr(logged_error, "gave up 7") != NULL);
	hm_actor_free(self);
	hm_actor_free(from);
	/* An event that it has not read is its own business. */
	proc->stopped = false;
	self = hm_proc_actor_instance(proc, "self", &err);
	child = spawn_child(self, &failing, NULL);
	post_text(self, child, "x");
	UNTIL(self->first == NULL);
	hm_actor_free(self);
	settle();
	CHECK(!proc->stopped);
	/* Told to stop it has its time. */
	proc->limits.stop_actor_timeout = 50;
	self = hm_proc_actor_instance(proc, "self", &err);
	watch(self, &seen);
	CHECK(hm_actor_stop(self, "please") == 0);
	UNTIL(hm_actor_state_terminal(seen.status.state));
	hm_actor_free(self);
	CHECK(proc->first == NULL);
	proc_end();
}

static int
ask_and_pass(struct hm_actor *self, struct hm_envelope *msg)
{
	struct hm_envelope *answer =
	    hm_call(self, hm_actor_arg(self), "inner", 5, 5000, &err);

	CHECK(answer != NULL && says(answer, "inner"));
	hm_envelope_free(answer);
	return hm_reply(self, msg, "outer", 5);
}

/* A handler that calls gets its answer although its actor is busy. */
static void
calls(void)
{
	struct hm_actor *inner, *outer, *client;
	struct hm_id to_inner, to_outer;
	struct hm_envelope *answer;

	proc_begin();
	inner = hm_proc_spawn(proc, "inner", echo, NULL, &err);
	outer = hm_proc_spawn(proc, "outer", ask_and_pass, &to_inner, &err);
	client = hm_proc_instance(proc, "client", &err);
	hm_port_id(inner, HM_PORT_DEFAULT, &to_inner);
	hm_port_id(outer, HM_PORT_DEFAULT, &to_outer);
	answer = hm_call(client, &to_outer, "go", 2, 10000, &err);
	CHECK(answer != NULL && says(answer, "outer"));
	hm_envelope_free(answer);
	CHECK(hm_actor_messages(client) == 0);
	hm_actor_free(inner);
	CHECK(hm_call(client, &to_inner, "go", 2, 10000, &err) == NULL);
	CHECK(strcmp(err.text, "no actor 'inner' in proc 'local' (not sent)") ==
	      0);
	proc_end();
}

/* A handle that knows whether the proc is gone. */
static void
weak(void)
{
	struct hm_weak *one, *two;

	proc_begin();
	one = hm_proc_weak(proc);
	two = hm_proc_weak(proc);
	CHECK(one != NULL && two != NULL);
	CHECK(hm_weak_proc(one) == proc && hm_weak_proc(two) == proc);
	hm_weak_free(one);
	proc_end();
	CHECK(hm_weak_proc(two) == NULL);
	hm_weak_free(two);
	hm_weak_free(NULL);
}

int
main(void)
{
	instance();
	receivers();
	mailboxes();
	inverted();
	calls();
	weak();
	return 0;
}
