/*
 * A tool of test/flow.bats and test/soak-flow: what floods, takes, answers,
 * asks and is slow.
 *
 *   flow sink NAME SENDERS COUNT   takes what fN of "flood" send; once WARM of
 *                                  each have come it counts COUNT of each on
 *                                  average, and says what the slowest had
 *   flow flood SENDERS DEST SIZE   as f0, f1, …, each a link of its own, for
 * ever flow large SENDERS DEST MIB    one message each, at the same time; says
 * what became of them flow echo NAME                 answers with what it was
 * asked flow ping DEST COUNT           asks one after the other, says how long
 * it took flow pair NAME OTHER MIB HOW   see pair() flow slow MS passes lines
 * on, one in so many milliseconds
 *
 * Those with a NAME print a line when they can be reached.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include <hostmux/hostmux.h>

#include "check.h"

#define SENDERS_MAX 1000
#define PIECE 65536u
#define WARM 200

static struct hm_loop *loop;
static struct hm_error err;

static void
lost(void *arg, const char *why)
{
	(void)arg;
	fprintf(stderr, "link lost: %s\n", why);
	exit(1);
}

static struct hm_proc *
attach(const char *name)
{
	struct hm_limits limits;
	struct hm_attach how = {.name = name, .limits = &limits};
	struct hm_proc *proc;

	hm_limits_init(&limits);
	CHECK(hm_limits_from_env(&limits, &err) == 0);
	proc = hm_proc_attach(loop, &how, &err);
	if (proc == NULL)
		exit(hm_error_exit(&err, "flow"));
	hm_proc_on_lost(proc, lost, NULL);
	return proc;
}

static struct hm_actor *
spawn(struct hm_proc *proc, hm_handler *handle, void *arg)
{
	struct hm_actor *actor = hm_proc_spawn(proc, "main", handle, arg, &err);

	CHECK(actor != NULL);
	return actor;
}

static void
say_ready(void)
{
	puts("ready");
	CHECK(fflush(stdout) == 0);
}

static void
find(struct hm_proc *proc, const char *name, struct hm_id *id)
{
	CHECK(hm_id_parse_dest(id, name, hm_proc_host(proc), &err) == 0);
}

static struct hm_envelope *
message(const struct hm_id *dest, const void *payload, size_t len)
{
	struct hm_draft draft = {.dest = dest};
	struct hm_envelope *env = hm_envelope_new(&draft, payload, len, &err);

	CHECK(env != NULL);
	return env;
}

static unsigned long
number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	CHECK(end != text && *end == '\0');
	return n;
}

static uint64_t
micros(void)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int
up(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* --- sink, flood */

static struct {
	size_t senders, heard;
	uint64_t wanted, counted;
	uint64_t of[SENDERS_MAX];
	unsigned before[SENDERS_MAX];
	uint64_t began;
} sink;

static int
take(struct hm_actor *self, struct hm_envelope *msg)
{
	struct hm_id sender;
	size_t i;

	hm_envelope_sender(msg, &sender);
	i = number(sender.proc + 1);
	CHECK(sender.proc[0] == 'f' && i < sink.senders);
	if (sink.heard == sink.senders) {
		sink.of[i]++;
		if (++sink.counted == sink.wanted)
			hm_proc_stop(hm_actor_proc(self), 0);
	} else if (++sink.before[i] == WARM) {
		if (++sink.heard == sink.senders)
			sink.began = micros();
	}
	return HM_TAKEN;
}

static int
run_sink(char **argv)
{
	struct hm_proc *proc = attach(argv[0]);
	uint64_t ms;

	sink.senders = number(argv[1]);
	CHECK(sink.senders > 0 && sink.senders <= SENDERS_MAX);
	sink.wanted = sink.senders * number(argv[2]);
	(void)spawn(proc, take, NULL);
	say_ready();
	CHECK(hm_proc_run(proc) == 0);
	ms = (micros() - sink.began) / 1000;
	qsort(sink.of, sink.senders, sizeof sink.of[0], up);
	printf("mean %lu slowest %llu median %llu fastest %llu in %llu ms\n",
	    (unsigned long)(sink.wanted / sink.senders),
	    (unsigned long long)sink.of[0],
	    (unsigned long long)sink.of[sink.senders / 2],
	    (unsigned long long)sink.of[sink.senders - 1],
	    (unsigned long long)ms);
	hm_proc_free(proc);
	return 0;
}

static struct flooder {
	struct hm_actor *actor;
	struct hm_envelope *next; /* had no room */
	struct hm_id dest;
} flooders[SENDERS_MAX];
static unsigned char payload[PIECE];
static size_t payload_len;

static int
refuse(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)msg;
	return hm_refuse(self, "it only sends");
}

static void
pump(void *arg)
{
	struct flooder *flooder = arg;

	for (;;) {
		if (flooder->next == NULL)
			flooder->next =
			    message(&flooder->dest, payload, payload_len);
		if (hm_post(flooder->actor, flooder->next) == -1)
			break;
		flooder->next = NULL;
	}
	CHECK(errno == EAGAIN);
}

static int
run_flood(char **argv)
{
	size_t i, n = number(argv[0]);
	struct flooder *flooder;
	struct hm_proc *proc;
	char name[32];

	payload_len = number(argv[2]);
	CHECK(n > 0 && n <= SENDERS_MAX && payload_len <= sizeof payload);
	for (i = 0; i < n; i++) {
		flooder = &flooders[i];
		(void)snprintf(name, sizeof name, "f%zu", i);
		proc = attach(name);
		find(proc, argv[1], &flooder->dest);
		flooder->actor = spawn(proc, refuse, NULL);
		hm_proc_on_progress(proc, pump, flooder);
		pump(flooder);
	}
	say_ready();
	return hm_loop_run(loop);
}

/* --- large */

static size_t settled, delivered;

static void
on_delivered(struct hm_actor *self, const struct hm_envelope *env)
{
	(void)self;
	(void)env;
	delivered++;
	settled++;
}

static void
on_return(struct hm_actor *self, struct hm_envelope *env)
{
	enum hm_outcome kind;
	struct hm_slice why, at;

	(void)self;
	CHECK(hm_envelope_error_at(
	    env, hm_envelope_errors(env) - 1, &kind, &why, &at));
	printf("%s: %.*s\n", hm_outcome_name(kind), (int)why.n, why.p);
	settled++;
}

static int
run_large(char **argv)
{
	size_t i, n = number(argv[0]), len = number(argv[2]) << 20;
	struct hm_actor *actor;
	struct hm_proc *proc;
	struct hm_id dest;
	unsigned char *bytes = calloc(1, len);

	CHECK(n > 0 && n <= SENDERS_MAX && bytes != NULL);
	for (i = 0; i < n; i++) {
		proc = attach(NULL);
		find(proc, argv[1], &dest);
		actor = spawn(proc, refuse, NULL);
		hm_actor_on_delivered(actor, on_delivered);
		hm_actor_on_return(actor, on_return);
		CHECK(hm_post(actor, message(&dest, bytes, len)) == 0);
	}
	free(bytes);
	while (settled < n)
		CHECK(hm_loop_turn(loop, -1) == 0);
	printf("%zu of %zu delivered\n", delivered, n);
	return 0;
}

/* --- echo, ping */

static int
answer(struct hm_actor *self, struct hm_envelope *msg)
{
	CHECK(hm_reply(self, msg, hm_payload(msg), hm_payload_len(msg)) == 0);
	return HM_TAKEN;
}

static int
run_echo(char **argv)
{
	struct hm_proc *proc = attach(argv[0]);

	(void)spawn(proc, answer, NULL);
	say_ready();
	return hm_proc_run(proc);
}

static int
run_ping(char **argv)
{
	struct hm_proc *proc = attach(NULL);
	struct hm_actor *actor = spawn(proc, refuse, NULL);
	size_t i, n = number(argv[1]);
	uint64_t *took = calloc(n, sizeof *took), from;
	struct hm_envelope *got;
	struct hm_id dest;

	CHECK(n > 0 && took != NULL);
	find(proc, argv[0], &dest);
	for (i = 0; i < n; i++) {
		from = micros();
		got = hm_call(actor, &dest, "ping", 4, 0, &err);
		if (got == NULL)
			return hm_error_exit(&err, "flow");
		took[i] = micros() - from;
		hm_envelope_free(got);
	}
	qsort(took, n, sizeof *took, up);
	printf("p50 %llu us, p99 %llu us, worst %llu us of %zu\n",
	    (unsigned long long)took[n / 2],
	    (unsigned long long)took[n - 1 - n / 100],
	    (unsigned long long)took[n - 1], n);
	free(took);
	hm_proc_free(proc);
	return 0;
}

/* --- pair */

static uint64_t came;

/* What comes is in order: each begins with its number. */
static int
count(struct hm_actor *self, struct hm_envelope *msg)
{
	uint64_t n;

	(void)self;
	CHECK(hm_payload_len(msg) == PIECE);
	memcpy(&n, hm_payload(msg), sizeof n);
	CHECK(n == came);
	came++;
	return HM_TAKEN;
}

static void
not_returned(struct hm_actor *self, struct hm_envelope *env)
{
	(void)self;
	CHECK(env == NULL); /* nothing comes back */
}

/*
 * Posts so many MiB, takes nothing meanwhile, then as many.  HOW "still": its
 * loop does not turn meanwhile, so that not even a grant is read; "turning":
 * the link takes and gives what it may, and its actor is paused.
 */
static int
run_pair(char **argv)
{
	struct hm_proc *proc = attach(argv[0]);
	struct hm_actor *actor = spawn(proc, count, NULL);
	uint64_t i, n = ((uint64_t)number(argv[2]) << 20) / PIECE;
	bool turning = strcmp(argv[3], "turning") == 0;
	struct hm_id dest;

	hm_actor_pause(actor, true);
	hm_actor_on_return(actor, not_returned);
	say_ready();
	/* The other is there when it says so, too. */
	CHECK(getchar() == '\n');
	find(proc, argv[1], &dest);
	for (i = 0; i < n; i++) {
		memcpy(payload, &i, sizeof i);
		CHECK(hm_post_unchecked(
			  actor, message(&dest, payload, PIECE)) == 0);
		if (turning)
			CHECK(hm_loop_turn(loop, 0) == 0);
	}
	hm_actor_pause(actor, false);
	while (came < n || hm_proc_unsettled(proc) > 0)
		CHECK(hm_loop_turn(loop, -1) == 0);
	printf("%llu came\n", (unsigned long long)came);
	hm_proc_free(proc);
	return 0;
}

/* --- slow */

static int
run_slow(char **argv)
{
	struct timespec t = {0, (long)number(argv[0]) * 1000000};
	static char line[PIECE];

	while (fgets(line, sizeof line, stdin) != NULL) {
		CHECK(nanosleep(&t, NULL) == 0);
		CHECK(fputs(line, stdout) != EOF && fflush(stdout) == 0);
	}
	return 0;
}

static const struct role {
	const char *name;
	int args;
	int (*run)(char **argv);
} roles[] = {
    {"sink", 3, run_sink},
    {"flood", 3, run_flood},
    {"large", 3, run_large},
    {"echo", 1, run_echo},
    {"ping", 2, run_ping},
    {"pair", 4, run_pair},
    {"slow", 1, run_slow},
};

int
main(int argc, char *argv[])
{
	size_t i;

	loop = hm_loop_new(NULL, &err);
	CHECK(loop != NULL && argc > 1);
	for (i = 0; i < sizeof roles / sizeof roles[0]; i++) {
		if (strcmp(argv[1], roles[i].name) == 0) {
			CHECK(argc == roles[i].args + 2);
			return roles[i].run(argv + 2);
		}
	}
	return 2;
}
