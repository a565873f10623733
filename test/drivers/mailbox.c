/*
 * Mailboxes and ports: what is taken where, and what comes back with which
 * words.
 */
#include <errno.h>

#include "proc.h"

static char returned[256];
static unsigned nreturned;

static void
tell(const char *who, const struct hm_envelope *msg)
{
	char text[300];

	(void)snprintf(text, sizeof text, "%s:%.*s", who,
	    (int)hm_payload_len(msg), (const char *)hm_payload(msg));
	note(text);
}

static int
take(struct hm_actor *self, struct hm_envelope *msg)
{
	tell(id_of(self).actor, msg);
	return HM_TAKEN;
}

static int
take_at_port(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)self;
	tell("port", msg);
	return HM_TAKEN;
}

/* Takes one type only, as a handler of a typed port would. */
static int
take_numbers(struct hm_actor *self, struct hm_envelope *msg)
{
	if (!hm_envelope_type_is(msg, "number"))
		return hm_refuse(self, "not a number");
	tell("number", msg);
	return HM_TAKEN;
}

static int
fail(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)msg;
	return hm_actor_fail(self, "boom");
}

static const struct hm_behaviour taking = {NULL, take, NULL, NULL, NULL};
static const struct hm_behaviour failing = {NULL, fail, NULL, NULL, NULL};

static void
on_return(struct hm_actor *self, struct hm_envelope *env)
{
	enum hm_outcome kind;
	struct hm_slice why, at;

	(void)self;
	nreturned++;
	CHECK(hm_envelope_error_at(env, 0, &kind, &why, &at));
	(void)snprintf(returned, sizeof returned, "%s: %.*s",
	    hm_outcome_name(kind), (int)why.n, why.p);
}

static void
comes_back(const char *why)
{
	settle();
	if (strcmp(returned, why) != 0)
		fprintf(stderr, "got:      %s\nexpected: %s\n", returned, why);
	CHECK(strcmp(returned, why) == 0);
	returned[0] = '\0';
}

static struct hm_actor *
begin(void)
{
	struct hm_actor *from;

	proc_begin();
	story[0] = returned[0] = '\0';
	from = hm_proc_instance(proc, "from", &err);
	CHECK(from != NULL);
	hm_actor_on_return(from, on_return);
	return from;
}

static void
post_port(struct hm_actor *from, const struct hm_actor *to, uint64_t port,
    const char *text)
{
	struct hm_id dest;

	hm_port_id(to, port, &dest);
	post_to(from, &dest, text);
}

/* basic: each port has its own handler, the default's where it has none. */
static void
ports(void)
{
	struct hm_actor *from = begin(), *actor = spawn("a", &taking, NULL);
	uint64_t own, other;

	own = hm_port_open(actor, take_at_port, false);
	other = hm_port_open(actor, NULL, false);
	CHECK(own >= HM_PORT_FIRST && other > own);
	post_port(from, actor, own, "one");
	post_port(from, actor, HM_PORT_DEFAULT, "two");
	post_port(from, actor, other, "three");
	post_port(from, actor, own, "four");
	told("port:one a:two a:three port:four");
	CHECK(hm_proc_unsettled(proc) == 0);
	proc_end();
}

/* A well-known port is opened by its number, once, and closed again. */
static void
well_known(void)
{
	struct hm_actor *from = begin(), *actor = spawn("a", &taking, NULL);
	struct hm_actor *other = spawn("b", &taking, NULL);

	CHECK(hm_port_open_at(actor, 17, take_at_port) == 0);
	CHECK(hm_port_open_at(actor, 17, take_at_port) == -1);
	CHECK(errno == EINVAL);
	CHECK(hm_port_open_at(actor, HM_PORT_FIRST, take_at_port) == -1);
	CHECK(errno == EINVAL);
	CHECK(hm_port_open_at(other, 17, NULL) == 0);
	post_port(from, actor, 17, "one");
	post_port(from, other, 17, "two");
	told("port:one b:two");
	hm_port_close(actor, 17);
	post_port(from, actor, 17, "three");
	comes_back("not sent: no port 17 at local,a");
	post_port(from, other, 17, "four");
	told("b:four");
	CHECK(hm_port_open_at(actor, 17, NULL) == 0);
	post_port(from, actor, 17, "five");
	told("a:five");
	proc_end();
}

/* missing handler, dropped port, port never allocated: each is told apart. */
static void
nobody_takes(void)
{
	static const struct hm_behaviour idle = {NULL, NULL, NULL, NULL, NULL};
	struct hm_actor *from = begin(), *actor = spawn("a", &idle, NULL);
	struct hm_id dest;
	uint64_t port;

	post_port(from, actor, HM_PORT_DEFAULT, "x");
	comes_back("not sent: no port 0 at local,a");
	port = hm_port_open(actor, take_at_port, false);
	hm_port_close(actor, port);
	post_port(from, actor, port, "x");
	comes_back("not sent: no port 1024 at local,a");
	post_port(from, actor, 999999, "x");
	comes_back("not sent: no port 999999 at local,a");
	hm_id_set(&dest, "local:0", "local", "nobody", 0, 0);
	post_to(from, &dest, "x");
	comes_back("not sent: no actor 'nobody' in proc 'local'");
	hm_id_set(&dest, "unix:/x", "other", "a", 0, 0);
	post_to(from, &dest, "x");
	comes_back("not sent: unix:/x is outside this proc");
	proc_end();
}

static void
post_number(struct hm_actor *from, const struct hm_id *dest, const char *text)
{
	struct hm_draft draft = {NULL, dest, "number", 0, 0, NULL, NULL};
	struct hm_envelope *env =
	    hm_envelope_new(&draft, text, strlen(text), &err);

	CHECK(env != NULL && hm_post(from, env) == 0);
}

/* A message of a type that a port does not take does not close it; one that
 * takes a single message is used up by it. */
static void
other_types(void)
{
	struct hm_actor *from = begin(), *actor = spawn("a", &taking, NULL);
	struct hm_id dest;

	hm_port_id(actor, hm_port_open(actor, take_numbers, false), &dest);
	post_to(from, &dest, "one");
	comes_back("refused: not a number");
	post_number(from, &dest, "2");
	told("number:2");
	hm_port_id(actor, hm_port_open(actor, take_numbers, true), &dest);
	post_to(from, &dest, "three");
	comes_back("refused: not a number");
	post_number(from, &dest, "4");
	comes_back("not sent: no port 1025 at local,a");
	told("");
	proc_end();
}

static int
note_ttl(struct hm_actor *self, struct hm_envelope *msg)
{
	*(unsigned *)hm_actor_arg(self) = hm_envelope_ttl(msg);
	return HM_TAKEN;
}

/* Within a proc no hop is counted: the last one is enough. */
static void
no_hop(void)
{
	static const struct hm_behaviour noting = {
	    NULL, note_ttl, NULL, NULL, NULL};
	unsigned ttl = 0;
	struct hm_actor *from = begin(), *actor = spawn("a", &noting, &ttl);
	struct hm_id dest;
	struct hm_draft draft = {NULL, &dest, NULL, 1, 0, NULL, NULL};

	hm_port_id(actor, HM_PORT_DEFAULT, &dest);
	CHECK(hm_post(from, hm_envelope_new(&draft, "x", 1, &err)) == 0);
	settle();
	CHECK(ttl == 1 && returned[0] == '\0');
	draft.ttl = 0;
	CHECK(hm_post(from, hm_envelope_new(&draft, "x", 1, &err)) == 0);
	settle();
	CHECK(ttl == 64);
	proc_end();
}

/* The owner of a mailbox fails: what was in it comes back, and what is sent
 * later does too, and says so. */
static void
owner_fails(void)
{
	struct hm_actor *from = begin(), *actor = spawn("a", &failing, NULL);
	struct hm_actor *box = hm_actor_attach_mailbox(actor, &err);
	struct hm_id to_actor, to_box;

	CHECK(box != NULL);
	hm_port_id(actor, HM_PORT_DEFAULT, &to_actor);
	hm_port_id(box, HM_PORT_DEFAULT, &to_box);
	post_to(from, &to_actor, "fails");
	settle();
	comes_back("refused: actor 'a' failed: boom");
	post_to(from, &to_actor, "late");
	comes_back("not sent: no actor 'a' in proc 'local'");
	post_to(from, &to_box, "late");
	comes_back("not sent: no actor 'a[1]' in proc 'local'");
	/* It was in the mailbox before. */
	(void)spawn("a", &failing, NULL);
	nreturned = 0;
	post_to(from, &to_actor, "fails");
	post_to(from, &to_actor, "behind it");
	comes_back("refused: actor 'a' failed: boom");
	CHECK(nreturned == 2);
	proc_end();
}

static void
fail_over_it(struct hm_actor *self, struct hm_envelope *env)
{
	enum hm_outcome kind;
	struct hm_slice why, at;

	CHECK(hm_envelope_error_at(env, 0, &kind, &why, &at));
	(void)hm_actor_fail(self, "lost '%.*s'", (int)hm_payload_len(env),
	    (const char *)hm_payload(env));
}

static int
send_away(struct hm_actor *self, struct hm_envelope *msg)
{
	struct hm_id dest;

	(void)msg;
	hm_id_set(&dest, "local:0", "local", "nobody", 0, 0);
	post_to(self, &dest, "message");
	return HM_TAKEN;
}

static int
coordinate(struct hm_actor *self, struct hm_envelope *msg)
{
	struct hm_json *json =
	    hm_json_parse(hm_payload(msg), hm_payload_len(msg), &err);

	(void)self;
	(void)snprintf(
	    story, sizeof story, "%s", hm_json_string(json, "reason", ""));
	hm_json_free(json);
	return HM_TAKEN;
}

/* An actor that cannot do without what it has sent fails over it, and its
 * supervisor hears of that; without undeliverable it is logged. */
static void
delivery_failure(void)
{
	static const struct hm_behaviour strict = {
	    NULL, send_away, fail_over_it, NULL, NULL};
	static const struct hm_behaviour lax = {
	    NULL, send_away, NULL, NULL, NULL};
	struct hm_actor *from = begin(), *coordinator, *actor;
	struct seen seen;

	coordinator = hm_proc_spawn(proc, "c", coordinate, NULL, &err);
	CHECK(hm_proc_supervise(proc, coordinator, HM_PORT_DEFAULT) == 0);
	actor = spawn("lax", &lax, NULL);
	post_text(from, actor, "go");
	settle();
	CHECK(strstr(logged, "came back") != NULL);
	CHECK(hm_proc_actor(proc, "lax") == actor);
	actor = spawn("strict", &strict, NULL);
	watch(actor, &seen);
	post_text(from, actor, "go");
	UNTIL(has_ended(&seen, HM_ACTOR_FAILED, "lost 'message'"));
	told("lost 'message'");
	proc_end();
}

int
main(void)
{
	ports();
	well_known();
	nobody_takes();
	other_types();
	no_hop();
	owner_fails();
	delivery_failure();
	return 0;
}
