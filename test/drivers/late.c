/*
 * Messages that wait for their turn at a receiver that stands alone: they wait
 * as long as it takes something, or for ever where that is wanted.
 *
 * Three nodes in one process, in a time that is made up.
 */
#include "nodes.h"

#define TIMEOUT_MS 30000

static const char *const where[] = {"unix:/a", "unix:/b", "unix:/c"};
static struct plan one = {"late", 3, where, {9, 9, 0}, {2, 2, 0}, .late = true,
    .size = 60000, .most = 64000};

static void
broken(const char *what, int line)
{
	fprintf(stderr, "nodes.h:%d: %s\n", line, what);
	exit(1);
}

static void
begin(uint64_t timeout)
{
	unsigned i;

	plan = &one;
	world_begin();
	memset(nodes, 0, sizeof nodes);
	nmessages = deaths = 0;
	memset(posted, 0, sizeof posted);
	for (i = 0; i < one.nodes; i++) {
		node_start(i);
		nodes[i].router->limits.delivery_timeout = timeout;
	}
	nodes_settle();
}

static void
end(void)
{
	unsigned i;

	check_end();
	for (i = 0; i < one.nodes; i++)
		node_kill(i);
}

/* So many ms pass. */
static void
pass(uint64_t ms)
{
	uint64_t end = world_now + ms, due;
	unsigned first;

	nodes_settle();
	while (!timers_run_out()) {
		first = first_due();
		due = nodes[first].loop->timers[0]->due;
		if (due > end)
			break;
		if (due > world_now)
			world_now = due;
		node_step(first, -1);
		nodes_settle();
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
	nodes_settle();
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

	begin(TIMEOUT_MS);
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

	begin(0);
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

int
main(void)
{
	test_slow();
	test_never();
	return 0;
}
