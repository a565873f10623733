/*
 * Actors: made, found, given messages, in a tree, and what they say of
 * themselves.
 */
#include <errno.h>
#include <time.h>

#include "proc.h"

struct note {
	unsigned inits, handled, ends, returned;
	char text[64];
	enum hm_actor_state end, during;
	char reason[HM_ERROR_TEXT];
};

static int
on_init(struct hm_actor *self)
{
	struct note *note = hm_actor_arg(self);
	struct hm_actor_status status;

	hm_actor_status(self, &status);
	CHECK(status.state == HM_ACTOR_INITIALIZING ||
	      status.state == HM_ACTOR_STOPPING);
	note->inits++;
	return 0;
}

static int
on_message(struct hm_actor *self, struct hm_envelope *msg)
{
	struct note *note = hm_actor_arg(self);
	struct hm_actor_status status;

	CHECK(note->inits == 1);
	hm_actor_status(self, &status);
	note->during = status.state;
	CHECK(strcmp(status.handler, "text/plain") == 0);
	note->handled++;
	(void)snprintf(note->text, sizeof note->text, "%.*s",
	    (int)hm_payload_len(msg), (const char *)hm_payload(msg));
	return HM_TAKEN;
}

static int
on_stopped(struct hm_actor *self, const struct hm_actor_status *end)
{
	struct note *note = hm_actor_arg(self);

	note->ends++;
	note->end = end->state;
	(void)snprintf(note->reason, sizeof note->reason, "%s", end->reason);
	return HM_TAKEN;
}

static void
on_return(struct hm_actor *self, struct hm_envelope *env)
{
	struct note *note = hm_actor_arg(self);
	enum hm_outcome kind;
	struct hm_slice why, at;

	note->returned++;
	CHECK(hm_envelope_error_at(env, 0, &kind, &why, &at));
	(void)snprintf(
	    note->text, sizeof note->text, "%.*s", (int)why.n, why.p);
}

static const struct hm_behaviour plain = {
    on_init, on_message, on_return, NULL, on_stopped};

static enum hm_actor_state
state_is(const struct hm_actor *actor)
{
	struct hm_actor_status status;

	hm_actor_status(actor, &status);
	return status.state;
}

/* test_spawn_actor: init, messages, stop, each told by the status. */
static void
spawn_actor(void)
{
	struct note note = {0};
	struct seen seen;
	struct hm_actor *actor, *from;
	struct hm_id id;

	proc_begin();
	actor = spawn("a", &plain, &note);
	from = hm_proc_instance(proc, "from", &err);
	CHECK(from != NULL);
	id = id_of(actor);
	watch(actor, &seen);
	CHECK(seen.status.state == HM_ACTOR_CREATED && note.inits == 0);
	CHECK(hm_actor_spawn(proc, "a", &plain, &note, &err) == NULL);
	CHECK(err.code == EEXIST);
	CHECK(hm_actor_spawn(proc, "a b", &plain, &note, &err) == NULL);
	CHECK(err.code == EINVAL);
	post_text(from, actor, "one");
	CHECK(note.handled == 0);
	UNTIL(note.handled == 1);
	CHECK(note.during == HM_ACTOR_PROCESSING);
	CHECK(state_is(actor) == HM_ACTOR_IDLE && seen.changes == 2);
	CHECK(hm_actor_messages(actor) == 1);
	/* What is in the mailbox is handled, what comes after is not. */
	post_text(from, actor, "two");
	CHECK(hm_actor_stop(actor, "enough") == 0);
	CHECK(hm_actor_stop(actor, "again") == 0);
	post_text(from, actor, "three");
	UNTIL(has_ended(&seen, HM_ACTOR_STOPPED, "enough"));
	CHECK(note.handled == 2 && strcmp(note.text, "two") == 0);
	CHECK(note.ends == 1 && note.end == HM_ACTOR_STOPPED);
	CHECK(strcmp(note.reason, "enough") == 0 && !there(&id));
	/* The name is free again. */
	CHECK(hm_actor_spawn(proc, "a", &plain, &note, &err) != NULL);
	hm_actor_free(from);
	proc_end();
	CHECK(note.ends == 2);
}

static int
pass_on(struct hm_actor *self, struct hm_envelope *msg)
{
	struct hm_id *to = hm_actor_arg(self);
	char text[16];
	unsigned n;

	(void)snprintf(text, sizeof text, "%.*s", (int)hm_payload_len(msg),
	    (const char *)hm_payload(msg));
	n = (unsigned)strtoul(text, NULL, 10);
	if (n > 0) {
		(void)snprintf(text, sizeof text, "%u", n - 1);
		post_to(self, to, text);
	}
	return HM_TAKEN;
}

/* test_proc_actors_messaging, and no recursion: each handler returns before
 * the next begins, also of those that answer each other. */
static void
messaging(void)
{
	static const struct hm_behaviour passing = {
	    NULL, pass_on, NULL, NULL, NULL};
	struct hm_id a, b;
	struct hm_actor *one, *two;

	proc_begin();
	one = spawn("a", &passing, &b);
	two = spawn("b", &passing, &a);
	hm_port_id(one, 0, &a);
	hm_port_id(two, 0, &b);
	post_to(one, &b, "100001");
	UNTIL(hm_actor_messages(one) + hm_actor_messages(two) == 100002);
	CHECK(hm_actor_messages(one) == hm_actor_messages(two));
	proc_end();
}

/* test_actor_lookup, test_resolve_actor_ref_none_for_terminal */
static void
lookup(void)
{
	struct note note = {0};
	struct hm_actor *actor, *mailbox;
	struct hm_id id, foreign, *ids;
	size_t n;

	proc_begin();
	actor = spawn("a", &plain, &note);
	id = id_of(actor);
	CHECK(hm_proc_find(proc, &id) == actor);
	CHECK(hm_proc_actor(proc, "a") == actor);
	CHECK(hm_id_compare(hm_actor_id(actor), &id) == 0);
	foreign = id;
	(void)snprintf(foreign.proc, sizeof foreign.proc, "q");
	CHECK(hm_proc_find(proc, &foreign) == NULL);
	foreign = id;
	foreign.index = 7;
	CHECK(hm_proc_find(proc, &foreign) == NULL);
	mailbox = hm_actor_attach_mailbox(actor, &err);
	CHECK(mailbox != NULL && id_of(mailbox).index == 1);
	CHECK(hm_proc_ids(proc, HM_IDS_LIVE, &ids, &n) == 0 && n == 1);
	free(ids);
	CHECK(hm_proc_ids(proc, HM_IDS_ALL, &ids, &n) == 0 && n == 2);
	free(ids);
	CHECK(hm_actor_abort(actor, "over") == 0);
	UNTIL(!there(&id));
	CHECK(hm_proc_ids(proc, HM_IDS_ALL, &ids, &n) == 0 && n == 0);
	free(ids);
	CHECK(hm_proc_ids(proc, HM_IDS_TERMINATED, &ids, &n) == 0 && n == 1);
	CHECK(hm_id_compare(&ids[0], &id) == 0);
	free(ids);
	CHECK(hm_proc_stop_actor(proc, &id, "gone", NULL) == -1 &&
	      errno == ESRCH);
	/* It was closed with its parent, and is still its caller's. */
	CHECK(hm_port_try_recv(mailbox, 0) == NULL && errno == ECANCELED);
	hm_actor_free(mailbox);
	proc_end();
}

struct walked {
	char text[256];
};

static void
on_walk(void *arg, struct hm_actor *actor, size_t depth)
{
	struct walked *walked = arg;
	size_t n = strlen(walked->text);
	struct hm_id id = id_of(actor);

	(void)snprintf(walked->text + n, sizeof walked->text - n, "%s%llu/%zu ",
	    id.actor, (unsigned long long)id.index, depth);
}

/* test_spawn_child, test_child_lifecycle, test_named_children: a child has its
 * root's name and the next index; the tree is walked parents first; stopping
 * takes the children first. */
static void
children(void)
{
	struct note notes[5];
	struct hm_actor *root, *first, *second, *below;
	struct walked walked = {""};
	struct seen seen[3];
	struct hm_id *ids;
	size_t n;

	memset(notes, 0, sizeof notes);
	proc_begin();
	root = spawn("r", &plain, &notes[0]);
	first = spawn_child(root, &plain, &notes[1]);
	second = spawn_child(root, &plain, &notes[2]);
	below = spawn_child(first, &plain, &notes[3]);
	(void)spawn("s", &plain, &notes[4]);
	CHECK(hm_actor_parent(below) == first && hm_actor_parent(root) == NULL);
	CHECK(id_of(below).index == 3 && hm_actor_id(below)->index == 3);
	hm_proc_traverse(proc, on_walk, &walked);
	CHECK(strcmp(walked.text, "r0/0 r1/1 r3/2 r2/1 s0/0 ") == 0);
	CHECK(hm_proc_ids(proc, HM_IDS_ROOTS, &ids, &n) == 0 && n == 2);
	free(ids);
	UNTIL(notes[3].inits == 1);
	watch(second, &seen[2]);
	CHECK(hm_actor_stop(second, "done") == 0);
	UNTIL(has_ended(&seen[2], HM_ACTOR_STOPPED, "done"));
	CHECK(state_is(root) == HM_ACTOR_IDLE);
	watch(root, &seen[0]);
	watch(below, &seen[1]);
	CHECK(hm_actor_stop(root, "all") == 0);
	CHECK(seen[1].status.state == HM_ACTOR_IDLE);
	CHECK(hm_actor_spawn_child(root, &plain, &notes[2], &err) != NULL);
	UNTIL(has_ended(&seen[1], HM_ACTOR_STOPPED, "parent stopping"));
	UNTIL(has_ended(&seen[0], HM_ACTOR_STOPPED, "all"));
	CHECK(notes[0].ends == 1 && notes[1].ends == 1 && notes[3].ends == 1);
	CHECK(notes[2].ends == 2 && notes[4].ends == 0);
	proc_end();
}

/* What is in the mailbox comes back when it is aborted, fails, or is freed. */
static void
mailbox_is_returned(void)
{
	struct note note = {0}, from = {1, 0, 0, 0, "", 0, 0, ""};
	struct hm_actor *actor, *sender;
	struct hm_id dest;

	proc_begin();
	sender = spawn("sender", &plain, &from);
	actor = spawn("a", &plain, &note);
	hm_port_id(actor, 0, &dest);
	hm_actor_pause(actor, true);
	post_to(sender, &dest, "one");
	post_to(sender, &dest, "two");
	CHECK(hm_actor_abort(actor, "now") == 0);
	UNTIL(from.returned == 2);
	CHECK(strcmp(from.text, "actor 'a' of proc 'local' has ended") == 0);
	UNTIL(note.ends == 1);
	CHECK(note.handled == 0);
	post_to(sender, &dest, "three");
	UNTIL(from.returned == 3);
	CHECK(strcmp(from.text, "no actor 'a' in proc 'local'") == 0);
	actor = spawn("a", &plain, &note);
	post_to(sender, &dest, "four");
	hm_actor_free(actor);
	UNTIL(from.returned == 4);
	/* Told to stop it takes no more. */
	actor = spawn("a", &plain, &note);
	hm_actor_pause(actor, true);
	CHECK(hm_actor_stop(actor, "soon") == 0);
	post_to(sender, &dest, "five");
	UNTIL(from.returned == 5);
	CHECK(strcmp(from.text, "actor 'a' of proc 'local' is ending") == 0);
	CHECK(hm_proc_unsettled(proc) == 0);
	settle();
	/* Also if it could have been handled first. */
	note.handled = 0;
	actor = spawn("a", &plain, &note);
	settle();
	post_to(sender, &dest, "six");
	CHECK(hm_actor_abort(actor, "now") == 0);
	UNTIL(from.returned == 6);
	CHECK(note.handled == 0);
	proc_end();
}

/* Aborted before it began it does not begin, and still cleans up. */
static void
aborted_early(void)
{
	struct note note = {0};
	struct seen seen;
	struct hm_actor *actor;

	proc_begin();
	actor = spawn("a", &plain, &note);
	watch(actor, &seen);
	CHECK(hm_actor_abort(actor, "early") == 0);
	UNTIL(has_ended(&seen, HM_ACTOR_STOPPED, "early"));
	CHECK(note.inits == 0 && note.ends == 1);
	/* Stopped it begins first: it has mail. */
	actor = spawn("a", &plain, &note);
	watch(actor, &seen);
	post_text(actor, actor, "one");
	CHECK(hm_actor_stop(actor, "soon") == 0);
	UNTIL(has_ended(&seen, HM_ACTOR_STOPPED, "soon"));
	CHECK(note.inits == 1 && note.handled == 1 && note.ends == 2);
	proc_end();
}

/* While it waits for its children, what it was asked to be sent still comes. */
static void
answered_to_the_end(void)
{
	struct note note = {0}, below = {0};
	struct hm_actor *actor, *child;
	struct seen seen;
	struct hm_id dest;

	proc_begin();
	actor = spawn("a", &plain, &note);
	child = spawn_child(actor, &plain, &below);
	settle();
	watch(actor, &seen);
	hm_port_id(actor, hm_port_open(actor, NULL, true), &dest);
	hm_actor_pause(child, true);
	post_text(actor, child, "later");
	CHECK(hm_actor_stop(actor, "soon") == 0);
	settle();
	post_to(child, &dest, "answer");
	settle();
	CHECK(note.handled == 1 && strcmp(note.text, "answer") == 0);
	CHECK(seen.status.state == HM_ACTOR_STOPPING);
	hm_actor_pause(child, false);
	UNTIL(has_ended(&seen, HM_ACTOR_STOPPED, "soon"));
	CHECK(below.handled == 1);
	proc_end();
}

static int
ask_within(struct hm_actor *self, struct hm_envelope *msg)
{
	struct hm_id *dest = hm_actor_arg(self);
	struct hm_error why;
	struct hm_envelope *answer =
	    hm_call(self, dest, "how are you", 11, 5000, &why);
	char text[4096];

	(void)msg;
	CHECK(answer != NULL);
	(void)snprintf(text, sizeof text, "%.*s", (int)hm_payload_len(answer),
	    (const char *)hm_payload(answer));
	CHECK(strstr(text, "\"status\":\"processing\"") != NULL);
	CHECK(strstr(text, "\"last_handler\":\"text/plain\"") != NULL);
	CHECK(strstr(text, "\"busy_ms\":") != NULL);
	hm_envelope_free(answer);
	return HM_TAKEN;
}

/* An actor answers introspection while its handler waits, and a handler may
 * call. */
static void
introspection(void)
{
	static const struct hm_behaviour asking = {
	    NULL, ask_within, NULL, NULL, NULL};
	struct hm_actor *actor, *child, *from;
	struct note note = {0};
	struct hm_json *json;
	struct hm_id dest;
	struct hm_envelope *answer;

	proc_begin();
	actor = spawn("busy", &asking, &dest);
	child = spawn_child(actor, &plain, &note);
	from = hm_proc_instance(proc, "from", &err);
	hm_port_id(actor, HM_PORT_INTROSPECT, &dest);
	post_text(from, actor, "ask");
	UNTIL(hm_actor_messages(actor) == 1);
	answer = hm_call(from, &dest, "", 0, 5000, &err);
	CHECK(answer != NULL);
	json = hm_json_parse(hm_payload(answer), hm_payload_len(answer), &err);
	hm_envelope_free(answer);
	CHECK(strcmp(hm_json_string(json, "actor", ""),
		  "local:0,local,busy[0]") == 0);
	CHECK(strcmp(hm_json_string(json, "status", ""), "idle") == 0);
	CHECK(hm_json_get(json, "children")->len == 1);
	CHECK(strcmp(hm_json_get(json, "children")->child->string,
		  "local:0,local,busy[1]") == 0);
	CHECK(hm_json_double(json, "messages", 0) == 1);
	CHECK(hm_json_double(json, "created", 0) > 1e9);
	hm_json_free(json);
	/* A client too. */
	hm_port_id(from, HM_PORT_INTROSPECT, &dest);
	answer = hm_call(from, &dest, "", 0, 5000, &err);
	CHECK(answer != NULL);
	json = hm_json_parse(hm_payload(answer), hm_payload_len(answer), &err);
	CHECK(strcmp(hm_json_string(json, "status", ""), "client") == 0);
	hm_json_free(json);
	hm_envelope_free(answer);
	CHECK(hm_actor_parent(child) == actor);
	hm_actor_free(from);
	proc_end();
}

static int
be_slow(struct hm_actor *self, struct hm_envelope *msg)
{
	struct timespec t = {1, 100 * 1000 * 1000};

	(void)self;
	(void)msg;
	(void)nanosleep(&t, NULL);
	return HM_TAKEN;
}

/* A handler over 1 s is told of when it has returned. */
static void
slow(void)
{
	static const struct hm_behaviour slow_one = {
	    NULL, be_slow, NULL, NULL, NULL};
	struct hm_actor *actor;

	proc_begin();
	actor = spawn("slow", &slow_one, NULL);
	post_text(actor, actor, "go");
	UNTIL(hm_actor_messages(actor) == 1);
	CHECK(strncmp(logged, "actor 'slow' was busy with 'text/plain' for 1",
		  45) == 0);
	proc_end();
}

/* Signals come as messages, too, from whoever may stop the proc. */
static void
signals(void)
{
	struct note note = {0};
	struct hm_actor *actor, *from;
	struct hm_id dest, id;

	proc_begin();
	from = hm_proc_instance(proc, "from", &err);
	actor = spawn("a", &plain, &note);
	id = id_of(actor);
	hm_port_id(actor, HM_PORT_SIGNAL, &dest);
	post_to(from, &dest, "{\"signal\":\"what\"}");
	post_to(from, &dest, "{\"signal\":\"stop\",\"reason\":\"told\"}");
	UNTIL(note.ends == 1);
	CHECK(strcmp(note.reason, "told") == 0 && !there(&id));
	CHECK(strstr(logged, "signals are stop and abort") != NULL);
	hm_actor_free(from);
	proc_end();
}

static size_t walked_actors;

static void
count_walk(void *arg, struct hm_actor *actor, size_t depth)
{
	(void)arg;
	(void)actor;
	(void)depth;
	walked_actors++;
}

/* A tree of many, wide and deep, ends without recursion. */
static void
tree(bool deep)
{
	static const struct hm_behaviour none = {NULL, NULL, NULL, NULL, NULL};
	struct hm_actor *root, *parent;
	struct seen seen;
	unsigned i;

	proc_begin();
	root = spawn("t", &none, NULL);
	for (i = 1, parent = root; i < 100000; i++)
		parent = spawn_child(deep ? parent : root, &none, NULL);
	walked_actors = 0;
	hm_proc_traverse(proc, count_walk, NULL);
	CHECK(walked_actors == 100000);
	watch(root, &seen);
	CHECK(hm_actor_stop(root, "all") == 0);
	UNTIL(has_ended(&seen, HM_ACTOR_STOPPED, "all"));
	CHECK(proc->first == NULL && proc->nactors == 0);
	/* And at once, too. */
	root = parent = spawn("t", &none, NULL);
	for (i = 1; i < 100000; i++)
		parent = spawn_child(deep ? parent : root, &none, NULL);
	hm_actor_free(root);
	CHECK(proc->first == NULL && proc->nactors == 0);
	settle();
	CHECK(proc->husks == NULL);
	proc_end();
}

int
main(void)
{
	spawn_actor();
	messaging();
	lookup();
	children();
	mailbox_is_returned();
	aborted_early();
	answered_to_the_end();
	introspection();
	slow();
	signals();
	tree(false);
	tree(true);
	return 0;
}
