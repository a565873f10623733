/*
 * Every order in which things can happen to two to four nodes, as far as the
 * time goes: states [SECONDS [PLAN]], or states PLAN CHOICE... to see one of
 * them.
 *
 * A schedule is a sequence of choices among what can happen next: a descriptor
 * is served, a message posted or settled, a connection cut, a node killed or
 * started, the clock goes to the next timer.  Since the state of a router
 * cannot be copied, each schedule begins at the beginning.  The one that always
 * takes the first choice comes first, then all that differ from it once, then
 * twice, and so on; a state that was seen is not gone on from.  A third of the
 * time is for schedules that take every other choice at random: those get deep.
 */
#include <time.h>

#include "nodes.h"

enum what { SERVE, TAKE, POST, START, WAIT, CUT, KILL };

struct action {
	enum what what;
	unsigned node;
	int arg; /* SERVE: the descriptor; CUT: the wire, and node: lost? */
};

#define ACTIONS 64
#define STEPS 1000
#define SEEN ((size_t)1 << 22)
#define PREFIXES ((size_t)1 << 20)
#define NONE UINT32_MAX
#define SHOWN (UINT32_MAX - 1)

/* A schedule that is still to be tried: that of before up to a step, then
 * another choice.  Behind that it takes the first ones. */
struct prefix {
	uint32_t before;
	uint16_t step;
	uint8_t choice;
};

static const char *const tcp[] = {
    "tcp:10.0.0.1:7", "tcp:10.0.0.2:7", "tcp:10.0.0.3:7", "tcp:10.0.0.4:7"};
static const char *const local[] = {"unix:/a", "unix:/b", "unix:/c", "unix:/d"};

static const struct plan plans[] = {
    {"unix", 2, local, {2, 2}, {1, 0}, .early = 1, .size = 100},
    {"unix-now", 2, local, {1, 1}, {1, 0}, .early = 1, .now = true,
	.size = 100},
    {"unix-kill", 2, local, {2, 2}, {1, 0}, .kills = 1, .early = 1,
	.late = true, .size = 100},
    {"tcp", 2, tcp, {2, 2}, {1, 0}, .early = 1, .size = 100},
    {"tcp-cut", 2, tcp, {2, 2}, {1, 0}, .cuts = 2, .early = 1, .late = true,
	.size = 100},
    {"tcp-kill", 2, tcp, {2, 2}, {1, 0}, .cuts = 1, .kills = 1, .early = 1,
	.late = true, .size = 100},
    {"tcp-kills", 2, tcp, {1, 1}, {1, 0}, .kills = 2, .early = 1, .late = true,
	.size = 100},
    {"large-cut", 2, tcp, {1, 1}, {1, 0}, .cuts = 1, .size = 20000},
    {"large-kill", 2, local, {1, 1}, {1, 0}, .kills = 1, .size = 20000},
    {"credit-cut", 2, tcp, {4, 1}, {1, 0}, .cuts = 1, .early = 1, .late = true,
	.size = 1500},
    {"row", 3, tcp, {2, 0, 2}, {2, 0, 0}, .row = true, .cuts = 1, .late = true,
	.size = 100},
    {"row-kill", 3, local, {2, 0, 2}, {2, 0, 0}, .row = true, .kills = 1,
	.late = true, .size = 100},
    {"row-large", 3, tcp, {1, 0, 1}, {2, 0, 0}, .row = true, .cuts = 1,
	.kills = 1, .size = 20000},
    {"turns", 3, tcp, {1, 1, 0}, {2, 2, 0}, .cuts = 1, .kills = 1,
	.size = 20000, .most = 32768},
    {"turns-row", 3, tcp, {2, 1, 0}, {2, 2, 0}, .row = true, .cuts = 1,
	.kills = 1, .late = true, .size = 20000, .most = 32768},
    {"turns-star", 4, local, {1, 0, 1, 0}, {3, 0, 3, 0}, .row = true,
	.late = true, .size = 20000, .most = 32768},
    {"turns-hub", 4, tcp, {2, 1, 2, 0}, {3, 3, 3, 0}, .row = true, .cuts = 1,
	.kills = 1, .early = 1, .late = true, .size = 20000, .most = 32768},
    {"turns-whole", 3, tcp, {3, 3, 0}, {2, 2, 0}, .cuts = 1, .kills = 1,
	.late = true, .size = 20000, .most = 32768, .window = 65536},
    {"turns-half", 3, local, {3, 3, 0}, {2, 2, 0}, .kills = 1, .late = true,
	.size = 3000, .most = 4000, .window = 8192},
    {"alias", 3, tcp, {3, 3, 0}, {2, 2, 0}, .late = true, .alias = true,
	.size = 20000, .most = 24000, .window = 65536},
    {"alias-window", 3, tcp, {3, 3, 0}, {2, 2, 0}, .late = true, .alias = true,
	.size = 20000, .most = 32768},
    {"behind-lost", 3, tcp, {2, 4, 0}, {2, 2, 0}, .cuts = 1, .late = true,
	.fleeting = true, .small = 100, .size = 20000, .most = 24000,
	.window = 65536},
    {"behind", 3, local, {4, 4, 0}, {2, 2, 0}, .late = true, .small = 100,
	.size = 20000, .most = 24000, .window = 65536},
    {"behind-kill", 3, local, {4, 4, 0}, {2, 2, 0}, .late = true, .small = 100,
	.kills = 1, .size = 20000, .most = 24000},
    {"behind-cut", 3, tcp, {4, 4, 0}, {2, 2, 0}, .late = true, .small = 1500,
	.cuts = 2, .early = 1, .size = 20000, .most = 24000, .window = 65536},
    {"less", 3, tcp, {2, 2, 0}, {2, 2, 0}, .late = true, .small = 1500,
	.cuts = 1, .size = 20000, .most = 64000, .less = 20000,
	.window = 32768},
    {"turns-wild", 3, tcp, {2, 2, 1}, {2, 2, 0}, .cuts = 2, .kills = 2,
	.early = 2, .size = 20000, .most = 32768},
    {"attached-cut", 2, tcp, {2, 2}, {1, 0}, .attached = true, .cuts = 2,
	.early = 2, .late = true, .size = 100},
    {"attached-large", 2, tcp, {1, 1}, {1, 0}, .attached = true, .cuts = 1,
	.size = 20000},
    {"attached-kill", 2, local, {2, 2}, {1, 0}, .attached = true, .kills = 1,
	.late = true, .size = 100},
    {"attached-lost", 2, tcp, {1, 1}, {1, 0}, .attached = true, .cuts = 1,
	.kills = 1, .size = 100},
    {"ring", 3, tcp, {1, 1, 1}, {1, 2, 0}, .early = 1, .size = 100},
    {"wild", 2, tcp, {3, 3}, {1, 0}, .cuts = 3, .kills = 2, .early = 3,
	.late = true, .size = 1500},
    {"wild-row", 3, tcp, {3, 0, 3}, {2, 0, 0}, .row = true, .cuts = 2,
	.kills = 2, .early = 3, .late = true, .size = 1500},
    {"wild-large", 2, tcp, {2, 2}, {1, 0}, .cuts = 2, .kills = 1, .early = 2,
	.size = 20000},
    {"wild-attached", 2, tcp, {3, 3}, {1, 0}, .attached = true, .cuts = 3,
	.kills = 2, .early = 3, .late = true, .size = 1500},
    {"ring-cut", 3, tcp, {1, 1, 1}, {1, 2, 0}, .cuts = 1, .size = 100},
};
#define PLANS (sizeof plans / sizeof plans[0])

static struct prefix *prefixes;
static size_t nprefixes, next_prefix;
static uint64_t *seen, nseen;
static uint64_t schedules, walks, states, steps;
static uint8_t choices[STEPS];
static size_t nchoices;
static unsigned cuts_left, kills_left, early_left;

static void
broken(const char *what, int line)
{
	size_t i;

	fprintf(stderr, "nodes.h:%d: %s\nschedule: %s", line, what, plan->name);
	for (i = 0; i < nchoices; i++)
		fprintf(stderr, " %u", choices[i]);
	fprintf(stderr, "\n");
	exit(1);
}

static void
add(struct action *all, size_t *n, enum what what, unsigned node, int arg)
{
	CHECK(*n < ACTIONS);
	all[*n].what = what;
	all[*n].node = node;
	all[(*n)++].arg = arg;
}

static void
add_served(struct action *all, size_t *n, unsigned i)
{
	int fds[READY];
	size_t k, m = node_ready(i, fds);

	for (k = 0; k < m; k++)
		add(all, n, SERVE, i, fds[k]);
}

/* A node that stands still for so long that a session is over may lose
 * messages where connections break. */
static bool
may_be_early(void)
{
	uint64_t due = nodes[first_due()].loop->timers[0]->due;

	return early_left > 0 && (plan->cuts == 0 || due < world_now + 1000);
}

/* What can happen now; the first is what happens where all goes well.  0: it is
 * over. */
static size_t
actions(struct action *all)
{
	size_t n = 0, i, sure;

	for (i = 0; i < plan->nodes; i++) {
		if (nodes[i].router != NULL)
			add_served(all, &n, (unsigned)i);
	}
	for (i = 0; i < plan->nodes; i++) {
		if (nodes[i].nkept > 0)
			add(all, &n, TAKE, (unsigned)i, 0);
	}
	for (i = 0; i < plan->nodes; i++) {
		if (nodes[i].router != NULL && posted[i] < plan->posts[i])
			add(all, &n, POST, (unsigned)i, 0);
	}
	for (i = 0; i < plan->nodes; i++) {
		if (nodes[i].router == NULL)
			add(all, &n, START, (unsigned)i, 0);
	}
	sure = n;
	if (!timers_run_out() && (n == 0 || may_be_early()))
		add(all, &n, WAIT, 0, sure > 0);
	if (n == 0)
		return 0;
	for (i = 0; i < nwires && cuts_left > 0; i++) {
		if (wire_whole(&wires[i])) {
			add(all, &n, CUT, 1, (int)i);
			add(all, &n, CUT, 0, (int)i);
		}
	}
	for (i = 0; i < plan->nodes && kills_left > 0; i++) {
		if (nodes[i].router != NULL) {
			add(all, &n, KILL, (unsigned)i, 0);
			add(all, &n, KILL, (unsigned)i, 1);
		}
	}
	return n;
}

/* lost: what it had said and was not read yet is, too. */
static void
kill_node(unsigned i, bool lost)
{
	size_t k;

	for (k = 0; k < nwires && lost; k++) {
		if (wires[k].node[0] == i || wires[k].node[1] == i)
			wire_cut(&wires[k], true);
	}
	kills_left--;
	deaths++;
	node_kill(i);
}

static void
act(const struct action *a)
{
	static const char *const names[] = {
	    "serve", "take", "post", "start", "wait", "cut", "kill"};

	if (talk)
		printf("%zu: %s node %u, %d\n", nchoices, names[a->what],
		    a->node, a->arg);
	switch (a->what) {
	case SERVE:
		node_step(a->node, a->arg);
		break;
	case TAKE:
		router_settle(nodes[a->node].kept[0], HM_DELIVERED, NULL, NULL);
		memmove(nodes[a->node].kept, nodes[a->node].kept + 1,
		    --nodes[a->node].nkept * sizeof nodes[0].kept[0]);
		node_step(a->node, -1);
		break;
	case POST:
		node_post(a->node);
		break;
	case START:
		node_start(a->node);
		break;
	case WAIT:
		early_left -= (unsigned)a->arg;
		nodes_wait();
		break;
	case CUT:
		cuts_left--;
		if (plan->fleeting)
			deaths++;
		wire_cut(&wires[a->arg], a->node != 0);
		break;
	case KILL:
		kill_node(a->node, a->arg != 0);
		break;
	}
}

/* --- what a state is, for knowing it again */

static uint64_t mark;

static void
mix(uint64_t x)
{
	mark = (mark ^ x) * 0x9e3779b97f4a7c15u;
	mark ^= mark >> 29;
}

static void
mix_link(const struct link *link)
{
	mix(link->credit);
	mix(link->granted << 32 ^ link->owed);
	mix(link->window << 32 ^ link->coming);
	mix(link->park.bytes << 32 ^ link->out.bytes);
	mix(link->acked << 32 ^ link->received);
	mix(link->told << 32 ^ link->next_number);
	mix(link->ledger.unsettled << 32 ^ link->nranges);
	mix(link->asked << 1 ^ (link->unsent != NULL));
	mix(link->nopen << 32 ^ link->own);
}

static void
mix_peer(const struct peer *peer)
{
	const struct conn *conn = peer->conn;

	mix((uint64_t)peer->kind << 8 | (uint64_t)peer->dialed << 7 |
	    (uint64_t)peer->resuming << 6 | (uint64_t)peer->bye << 5 |
	    (conn == NULL ? 15 : conn->state));
	mix(conn == NULL ? 0 : conn->nrest + 1);
	mix(peer->backoff << 32 ^ peer->home_bytes);
	mix((uint64_t)peer->npassages << 32 ^ (peer->outgoing != NULL));
	mix_link(&peer->link);
}

static void
mix_wire(struct wire *wire)
{
	unsigned char bytes[65536];
	ssize_t n, k;
	int i;

	for (i = 0; i < 2; i++) {
		n = end_open(wire, i) ? recv(wire->fd[i], bytes, sizeof bytes,
					    MSG_PEEK | MSG_DONTWAIT)
				      : -2;
		mix((uint64_t)n + 3);
		for (k = 0; k < n; k++)
			mark = (mark ^ bytes[k]) * 0x100000001b3u;
	}
}

static uint64_t
state(void)
{
	const struct peer *peer;
	const struct hm_loop *loop;
	size_t i, k;

	mark = (uint64_t)(plan - plans) << 24 ^ cuts_left << 16 ^
	       kills_left << 8 ^ early_left;
	for (i = 0; i < plan->nodes; i++) {
		mix(nodes[i].life << 8 ^ nodes[i].nkept);
		mix(posted[i]);
		if (nodes[i].router == NULL)
			continue;
		for (peer = nodes[i].router->peers; peer != NULL;
		     peer = peer->next)
			mix_peer(peer);
		loop = nodes[i].loop;
		for (k = 0; k < loop->ntimers; k++)
			mix(loop->timers[k]->due - world_now);
		mix(nodes[i].router->ngreeting);
		mix(places[i].n);
	}
	for (i = 0; i < nmessages; i++)
		mix(messages[i].got << 8 ^ messages[i].settled << 4 ^
		    messages[i].how ^ (uint64_t)messages[i].from << 16);
	for (i = 0; i < nwires; i++)
		mix_wire(&wires[i]);
	return mark == 0 ? 1 : mark;
}

/* Was it there before? */
static bool
known(uint64_t of)
{
	size_t i = of % SEEN;

	while (seen[i] != 0 && seen[i] != of)
		i = (i + 1) % SEEN;
	if (seen[i] == of)
		return true;
	if (nseen < SEEN / 2) {
		seen[i] = of;
		nseen++;
	}
	states++;
	return false;
}

/* --- schedules */

static void
begin(void)
{
	unsigned i;

	world_begin();
	memset(nodes, 0, sizeof nodes);
	memset(posted, 0, sizeof posted);
	nmessages = deaths = 0;
	cuts_left = plan->cuts;
	kills_left = plan->kills;
	early_left = plan->early;
	nchoices = 0;
	for (i = 0; i < plan->nodes; i++)
		node_start(i);
	nodes_settle();
}

static void
end(void)
{
	unsigned i;

	for (i = 0; i < plan->nodes; i++) {
		if (nodes[i].router != NULL)
			node_kill(i);
	}
}

/* Where other choices lead is for later. */
static void
put_off(uint32_t before, size_t n)
{
	size_t i;

	for (i = 1; i < n && nprefixes < PREFIXES; i++) {
		prefixes[nprefixes].before = before;
		prefixes[nprefixes].step = (uint16_t)nchoices;
		prefixes[nprefixes++].choice = (uint8_t)i;
	}
}

/* The choices of a prefix; their number. */
static size_t
read_prefix(uint32_t which, uint8_t *to)
{
	size_t n = which == 0 ? 0 : prefixes[which].step + 1u;

	memset(to, 0, STEPS);
	for (; which != 0; which = prefixes[which].before)
		to[prefixes[which].step] = prefixes[which].choice;
	return n;
}

static size_t
choose(size_t n)
{
	return check_random(2) == 0 ? 0 : check_random((unsigned)n);
}

static void
say_links(void)
{
	static const char *const at[] = {
	    "dialing", "greeting", "accepted", "open", "leaving", "closed"};
	const struct peer *peer;
	unsigned i;

	for (i = 0; talk && i < plan->nodes; i++) {
		if (nodes[i].router == NULL)
			continue;
		for (peer = nodes[i].router->peers; peer != NULL;
		     peer = peer->next)
			printf("    %u: link of %s%s, %s%s%s, session %04x\n",
			    i,
			    peer->kind == PEER_NAME ? peer->name : peer->addr,
			    peer->kind == PEER_CROSS ? " (second)" : "",
			    peer->conn == NULL ? "no connection"
					       : at[peer->conn->state],
			    peer->dialed ? ", dialed" : "",
			    peer->resuming ? ", to be resumed" : "",
			    (unsigned)(peer->session & 0xffff));
	}
}

/* The schedule of a prefix, or (NONE) one at random, or (SHOWN) only what was
 * given. */
static void
run(uint32_t which, const uint8_t *given, size_t ngiven)
{
	struct action all[ACTIONS];
	size_t n, i;

	begin();
	while ((n = actions(all)) > 0) {
		if (which == NONE) {
			(void)known(state());
		} else if (nchoices >= ngiven && which != SHOWN) {
			if (known(state()))
				break;
			put_off(which, n);
		}
		PROMISE(nchoices < STEPS); /* it ends */
		i = nchoices < ngiven ? given[nchoices] : 0;
		if (which == NONE)
			i = choose(n);
		choices[nchoices++] = (uint8_t)i;
		PROMISE(i < n);
		act(&all[i]);
		say_links();
		for (i = 0; i < plan->nodes; i++) {
			if (nodes[i].router != NULL)
				check_node(&nodes[i]);
		}
	}
	steps += nchoices;
	if (n == 0)
		check_end();
	end();
}

static double
clock_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* All schedules of a plan that there is time for. */
static void
explore(double seconds)
{
	double begun = clock_now();
	uint8_t given[STEPS];
	size_t n;

	schedules = walks = states = steps = 0;
	nprefixes = 1; /* the first is all zeros */
	for (next_prefix = 0; next_prefix < nprefixes; next_prefix++) {
		if (clock_now() > begun + seconds * 2 / 3)
			break;
		n = read_prefix((uint32_t)next_prefix, given);
		run((uint32_t)next_prefix, given, n);
		schedules++;
	}
	for (; clock_now() < begun + seconds; walks++)
		run(NONE, NULL, 0);
	printf("%s: %llu schedules%s, %llu at random; %llu states, %llu "
	       "steps\n",
	    plan->name, (unsigned long long)schedules,
	    next_prefix == nprefixes && nprefixes < PREFIXES
		? " (all there are)"
		: "",
	    (unsigned long long)walks, (unsigned long long)states,
	    (unsigned long long)steps);
}

static const struct plan *
find_plan(const char *name)
{
	const struct plan *of = plans;

	for (; strcmp(of->name, name) != 0; of++)
		CHECK(of < plans + PLANS - 1);
	return of;
}

static int
show(int argc, char *argv[])
{
	uint8_t given[STEPS];
	int i;

	plan = find_plan(argv[1]);
	CHECK(argc - 2 <= STEPS);
	for (i = 2; i < argc; i++)
		given[i - 2] = (uint8_t)strtoul(argv[i], NULL, 10);
	talk = true;
	setvbuf(stdout, NULL, _IOLBF, 0);
	run(SHOWN, given, (size_t)argc - 2);
	return 0;
}

int
main(int argc, char *argv[])
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 8;
	size_t i, first = 0, n = PLANS;

	if (argc > 1 && seconds == 0)
		return show(argc, argv);
	if (argc > 2) {
		first = (size_t)(find_plan(argv[2]) - plans);
		n = 1;
	}
	prefixes = calloc(PREFIXES, sizeof *prefixes);
	seen = calloc(SEEN, sizeof *seen);
	CHECK(prefixes != NULL && seen != NULL);
	for (i = 0; i < n; i++) {
		plan = &plans[first + i];
		explore(seconds / (double)n);
	}
	free(prefixes);
	free(seen);
	return 0;
}
