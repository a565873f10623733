/*
 * Messages that wait for their turn at a receiver that stands alone: they wait
 * as long as it takes something, or for ever where that is wanted, and longer
 * than one that has stopped in its middle.
 *
 * Some nodes in one process, in a time that is made up.
 */
#include "nodes.h"

#define TIMEOUT_MS 30000

static const char *const where[] = {"unix:/a", "unix:/b", "unix:/c", "unix:/d"};
static const struct plan alone = {"late", 3, where, {9, 9, 0}, {2, 2, 0},
    .late = true, .kills = 1, .size = 60000, .most = 64000};
/* All over the second. */
static const struct plan hub = {"late-hub", 4, where, {9, 0, 0, 9},
    {2, 2, 0, 2}, .row = true, .late = true, .kills = 1, .size = 60000,
    .most = 64000};
static struct plan one;
static bool stopped[NODES];

static void
broken(const char *what, int line)
{
	fprintf(stderr, "nodes.h:%d: %s\n", line, what);
	exit(1);
}

/* Nobody is served who is stopped. */
static void
serve(void)
{
	int ready[READY];
	unsigned i;
	bool again;

	do {
		again = false;
		for (i = 0; i < one.nodes; i++) {
			if (stopped[i] || node_ready(i, ready) == 0)
				continue;
			node_step(i, ready[0]);
			again = true;
		}
	} while (again);
}

static void
begin(const struct plan *of, uint64_t timeout)
{
	unsigned i;

	one = *of;
	plan = &one;
	memset(stopped, 0, sizeof stopped);
	world_begin();
	memset(nodes, 0, sizeof nodes);
	nmessages = deaths = 0;
	memset(posted, 0, sizeof posted);
	for (i = 0; i < one.nodes; i++) {
		node_start(i);
		nodes[i].router->limits.delivery_timeout = timeout;
	}
	serve();
}

static void
end(void)
{
	unsigned i;

	check_end();
	for (i = 0; i < one.nodes; i++)
		node_kill(i);
}

/* Whose timer is due first, of those that are not stopped. */
static unsigned
next_due(void)
{
	unsigned i, first = NODES;

	for (i = 0; i < one.nodes; i++) {
		if (!stopped[i] && nodes[i].loop->ntimers > 0 &&
		    (first == NODES || nodes[i].loop->timers[0]->due <
					   nodes[first].loop->timers[0]->due))
			first = i;
	}
	return first;
}

/* So many ms pass. */
static void
pass(uint64_t ms)
{
	uint64_t end = world_now + ms, due;
	unsigned first;

	serve();
	while ((first = next_due()) < NODES) {
		due = nodes[first].loop->timers[0]->due;
		if (due > end)
			break;
		if (due > world_now)
			world_now = due;
		node_step(first, -1);
		serve();
	}
	world_now = end;
}

/* The third takes the first that it has not. */
static void
take(void)
{
	struct node *node = &nodes[2];
	struct hm_envelope *env = node->kept[0];

	CHECK(node->nkept > 0);
	memmove(node->kept, node->kept + 1, --node->nkept * sizeof env);
	router_settle(env, HM_DELIVERED, NULL, NULL);
	node_step(2, -1);
	serve();
}

static void
post(unsigned from, uint32_t size)
{
	one.size = size;
	node_post(from);
	pass(1);
}

/* One of the first is taken now and then, ten small before any large. */
static void
test_slow(void)
{
	unsigned i;

	begin(&alone, TIMEOUT_MS);
	for (i = 0; i < 10; i++)
		post(0, 100);
	for (i = 0; i < 4; i++)
		post(0, 60000);
	CHECK(nodes[2].nkept == 14);
	post(1, 60000);
	CHECK(nodes[2].local.stores != NULL);
	for (i = 0; i < 15; i++) {
		pass(TIMEOUT_MS / 6);
		CHECK(!messages[14].settled);
		take();
	}
	pass(1000);
	CHECK(messages[14].settled && messages[14].how == HM_DELIVERED);
	end();
}

/* Nothing is taken for long, and nothing is to time out. */
static void
test_never(void)
{
	unsigned i;

	begin(&alone, 0);
	for (i = 0; i < 4; i++)
		post(0, 60000);
	post(1, 60000);
	pass(10 * TIMEOUT_MS);
	CHECK(!messages[4].settled && nodes[2].nkept == 4);
	for (i = 0; i < 5; i++)
		take();
	pass(1000);
	CHECK(messages[4].how == HM_DELIVERED);
	end();
}

/* The first sender goes on, until the receiver has more of what it sends. */
static void
move_on(void)
{
	int ready[READY];
	unsigned i;
	uint64_t got = nodes[2].local.stores == NULL
			   ? 0
			   : nodes[2].local.stores->passage->missing;

	for (i = 0; nodes[2].local.stores == NULL ||
		    nodes[2].local.stores->passage->missing == got;
	     i = (i + 1) % one.nodes) {
		if (node_ready(i, ready) > 0)
			node_step(i, ready[0]);
	}
}

/* It stops in its middle, and after a while again: it is given up, and who has
 * waited for it has time left. */
static void
test_stopped(const struct plan *of, unsigned other)
{
	begin(of, TIMEOUT_MS);
	node_post(0);
	move_on();
	stopped[0] = true;
	post(other, 60000);
	pass(TIMEOUT_MS / 2);
	stopped[0] = false;
	move_on();
	stopped[0] = true;
	pass(TIMEOUT_MS + 1000);
	CHECK(!messages[1].settled && nodes[2].nkept == 1);
	take();
	stopped[0] = false;
	pass(1000);
	CHECK(messages[0].settled && messages[0].how == HM_TIMED_OUT);
	CHECK(messages[1].settled && messages[1].how == HM_DELIVERED);
	end();
}

int
main(void)
{
	test_slow();
	test_never();
	test_stopped(&alone, 1);
	test_stopped(&hub, 3);
	return 0;
}
