/*
 * What became of each message, for test/soak-settled.
 *
 *     settled send DEST COUNT LARGEST PACE SEED [AT MS PID]...
 * posts the numbers 1 … COUNT in messages "N SIZE xxx" of SIZE bytes, a few of
 * them up to LARGEST longer, PACE in a millisecond (0: as they are taken), and
 * says how each was settled, a line "N OUTCOME SIZE REASON" in the order of the
 * settlements; then "end POSTED", less than COUNT where its host was lost.  MS
 * ms after AT was posted PID is killed.
 *     settled recv NAME BEHIND REFUSE
 * writes what comes to stdout, a line each, and settles it when BEHIND more
 * have come, or nothing for a moment; each REFUSE-th number (0: none) it
 * refuses.  It says "ready" on stderr, and ends with its host.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <hostmux/proc.h>

#include "check.h"

/* A message in a hundred is a large one. */
#define LARGE 100
#define BEHIND_MAX 1024
#define IDLE_MS 20
#define KILLS_MAX 4

static uint64_t state;

static uint64_t
noise(uint64_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (state >> 33) % n;
}

static uint64_t
number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	CHECK(*text != '\0' && *end == '\0');
	return n;
}

static struct hm_proc *
attach(const char *name)
{
	static struct hm_limits limits;
	struct hm_attach how;
	struct hm_error err;
	struct hm_proc *proc;

	hm_limits_init(&limits);
	CHECK(hm_limits_from_env(&limits, &err) == 0);
	memset(&how, 0, sizeof how);
	how.name = name;
	how.limits = &limits;
	proc = hm_proc_attach(NULL, &how, &err);
	if (proc == NULL) {
		fprintf(stderr, "settled: %s\n", err.text);
		exit(1);
	}
	return proc;
}

/* The number a message begins with. */
static uint64_t
number_of(const struct hm_envelope *env)
{
	char text[32];
	size_t n = hm_payload_len(env);

	if (n >= sizeof text)
		n = sizeof text - 1;
	memcpy(text, hm_payload(env), n);
	text[n] = '\0';
	return strtoull(text, NULL, 10);
}

/* --- the sender */

struct kill {
	struct hm_timer timer;
	uint64_t at, ms;
	pid_t pid;
};

static uint64_t count, largest, pace, next = 1;
static unsigned char *settled; /* how often, by number */
static bool lost;
static struct kill kills[KILLS_MAX];
static size_t nkills;

static void
on_kill(void *arg)
{
	const struct kill *k = arg;

	CHECK(kill(k->pid, SIGKILL) == 0);
}

static void
say(const struct hm_envelope *env, const char *outcome, struct hm_slice why)
{
	uint64_t n = number_of(env);

	CHECK(n >= 1 && n < next);
	CHECK(++settled[n] == 1);
	printf("%llu %s %zu %.*s\n", (unsigned long long)n, outcome,
	    hm_payload_len(env), (int)why.n, why.p);
}

static void
on_delivered(struct hm_actor *self, const struct hm_envelope *env)
{
	struct hm_slice nothing = {"", 0};

	(void)self;
	say(env, "delivered", nothing);
}

static void
on_return(struct hm_actor *self, struct hm_envelope *env)
{
	enum hm_outcome kind;
	struct hm_slice why, at;
	size_t n = hm_envelope_errors(env);
	const char *name;

	(void)self;
	CHECK(n > 0 && hm_envelope_error_at(env, n - 1, &kind, &why, &at));
	name = hm_outcome_name(kind);
	/* One word each, for awk. */
	say(env,
	    kind == HM_NOT_SENT	   ? "not-sent"
	    : kind == HM_TIMED_OUT ? "timed-out"
				   : name,
	    why);
}

static void
on_lost(void *arg, const char *why)
{
	struct hm_proc *proc = arg;

	(void)why;
	CHECK(hm_proc_unsettled(proc) == 0);
	lost = true;
}

static struct hm_envelope *
make(const struct hm_draft *draft, char *text)
{
	uint64_t size = 40 + noise(160);
	int n;

	if (noise(LARGE) == 0)
		size = 40 + noise(largest);
	memset(text, 'x', size);
	n = snprintf(text, size, "%llu %llu ", (unsigned long long)next,
	    (unsigned long long)size);
	text[n] = 'x';
	return hm_envelope_new(draft, text, size, NULL);
}

/* Has the next to wait? */
static bool
posted(struct hm_loop *loop)
{
	const struct timespec ms = {0, 1000000};
	size_t i;

	for (i = 0; i < nkills; i++) {
		if (kills[i].at != next)
			continue;
		if (kills[i].ms == 0)
			on_kill(&kills[i]);
		else
			CHECK(hm_timer_start(
				  loop, &kills[i].timer, kills[i].ms) == 0);
	}
	next++;
	if (pace == 0 || next % pace != 0)
		return false;
	CHECK(nanosleep(&ms, NULL) == 0);
	return true;
}

static void
read_kills(char *argv[])
{
	for (; argv[0] != NULL; argv += 3, nkills++) {
		CHECK(nkills < KILLS_MAX && argv[1] != NULL && argv[2] != NULL);
		kills[nkills].at = number(argv[0]);
		kills[nkills].ms = number(argv[1]);
		kills[nkills].pid = (pid_t)number(argv[2]);
		CHECK(kills[nkills].pid > 1);
		kills[nkills].timer.fn = on_kill;
		kills[nkills].timer.arg = &kills[nkills];
	}
}

static void
post_all(struct hm_proc *proc, struct hm_actor *actor, struct hm_id *dest)
{
	struct hm_draft draft = {NULL, dest, "n", 0, 0, NULL, NULL};
	struct hm_envelope *env = NULL;
	char *text = malloc(largest + 256);
	int rest;

	CHECK(text != NULL);
	while (!lost && (next <= count || hm_proc_unsettled(proc) > 0)) {
		rest = 5000;
		while (next <= count && !lost && rest > 0) {
			if (env == NULL)
				env = make(&draft, text);
			CHECK(env != NULL);
			if (hm_post(actor, env) == -1) {
				CHECK(errno == EAGAIN);
				break;
			}
			env = NULL;
			if (posted(hm_proc_loop(proc)))
				rest = 0;
		}
		CHECK(hm_loop_turn(hm_proc_loop(proc), rest) == 0);
	}
	hm_envelope_free(env);
	free(text);
}

static int
send_all(char *argv[])
{
	struct hm_proc *proc = attach(NULL);
	struct hm_error err;
	struct hm_actor *actor;
	struct hm_id dest;
	uint64_t n;

	CHECK(hm_id_parse_dest(&dest, argv[0], hm_proc_host(proc), &err) == 0);
	count = number(argv[1]);
	largest = number(argv[2]);
	pace = number(argv[3]);
	state = number(argv[4]);
	read_kills(argv + 5);
	settled = calloc(count + 1, 1);
	CHECK(settled != NULL);
	actor = hm_proc_spawn(proc, "main", NULL, NULL, &err);
	CHECK(actor != NULL);
	hm_actor_on_delivered(actor, on_delivered);
	hm_actor_on_return(actor, on_return);
	hm_proc_on_lost(proc, on_lost, proc);
	post_all(proc, actor, &dest);
	for (n = 1; n < next; n++)
		CHECK(settled[n] == 1);
	printf("end %llu\n", (unsigned long long)(next - 1));
	CHECK(fflush(stdout) == 0);
	hm_proc_free(proc);
	free(settled);
	return 0;
}

/* --- the receiver */

static struct hm_envelope *kept[BEHIND_MAX];
static size_t nkept, behind;
static uint64_t refuses;
static struct hm_timer idle;

static void
settle_all(void *arg)
{
	size_t i;

	(void)arg;
	for (i = 0; i < nkept; i++)
		hm_settle(kept[i], HM_DELIVERED, NULL);
	nkept = 0;
}

static void
write_all(const char *p, size_t n)
{
	ssize_t done;

	while (n > 0) {
		done = write(STDOUT_FILENO, p, n);
		CHECK(done > 0);
		p += done;
		n -= (size_t)done;
	}
}

static int
on_message(struct hm_actor *self, struct hm_envelope *msg)
{
	struct hm_loop *loop = hm_proc_loop(hm_actor_proc(self));
	uint64_t n = number_of(msg);
	size_t len = hm_payload_len(msg);
	char *text;

	if (refuses > 0 && n % refuses == 0)
		return hm_refuse(self, "no %llu", (unsigned long long)n);
	text = malloc(len + 1);
	CHECK(text != NULL);
	memcpy(text, hm_payload(msg), len);
	text[len] = '\n';
	write_all(text, len + 1);
	free(text);
	if (behind == 0)
		return HM_TAKEN;
	if (nkept == behind)
		settle_all(NULL);
	kept[nkept++] = msg;
	CHECK(hm_timer_start(loop, &idle, IDLE_MS) == 0);
	return HM_LATER;
}

static void
on_end(void *arg, const char *why)
{
	(void)why;
	hm_proc_stop(arg, 0);
}

static int
receive(char *argv[])
{
	struct hm_proc *proc = attach(argv[0]);
	struct hm_error err;

	behind = number(argv[1]);
	CHECK(behind <= BEHIND_MAX);
	refuses = number(argv[2]);
	idle.fn = settle_all;
	CHECK(hm_proc_spawn(proc, "main", on_message, NULL, &err) != NULL);
	hm_proc_on_lost(proc, on_end, proc);
	fprintf(stderr, "ready\n");
	CHECK(hm_proc_run(proc) == 0);
	settle_all(NULL);
	hm_timer_stop(hm_proc_loop(proc), &idle);
	hm_proc_free(proc);
	return 0;
}

int
main(int argc, char *argv[])
{
	(void)alarm(100); /* what hangs has failed */
	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	if (argc >= 7 && strcmp(argv[1], "send") == 0)
		return send_all(argv + 2);
	if (argc == 5 && strcmp(argv[1], "recv") == 0)
		return receive(argv + 2);
	fprintf(stderr, "settled: send or recv, see its head\n");
	return 2;
}
