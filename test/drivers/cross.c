/*
 * Two hosts that dial each other at the same time, or lose what a dial was
 * answered, have one link in the end, and every message arrives.
 */
#include "nodes.h"

static const struct plan *const no_plan;

static void
broken(const char *what, int line)
{
	fprintf(stderr, "nodes.h:%d: %s (%s)\n", line, what, plan->name);
	exit(1);
}

static void
begin(const struct plan *of)
{
	unsigned i;

	plan = of;
	world_begin();
	memset(nodes, 0, sizeof nodes);
	memset(posted, 0, sizeof posted);
	nmessages = deaths = 0;
	for (i = 0; i < plan->nodes; i++)
		node_start(i);
}

static void
end(void)
{
	unsigned i;

	for (i = 0; i < plan->nodes; i++)
		node_kill(i);
	plan = no_plan;
}

/* The dial of that node is connected: it says HELLO. */
static void
say_hello(size_t wire)
{
	CHECK(wire < nwires);
	node_step(wires[wire].node[0], wires[wire].fd[0]);
}

/* That node takes the connection, and reads the greeting if there is one. */
static void
hear_hello(size_t wire)
{
	unsigned i = wires[wire].node[1];

	node_step(i, places[i].fd);
	node_step(i, wires[wire].fd[1]);
}

/* All goes on until there is nothing left to do. */
static void
finish(void)
{
	nodes_settle();
	while (!timers_run_out()) {
		nodes_wait();
		nodes_settle();
	}
	check_node(&nodes[0]);
	check_node(&nodes[1]);
	check_end();
}

/* Who dialed the connection that stays; there is one. */
static unsigned
stays(void)
{
	unsigned i, n = 0, who = NODES;

	for (i = 0; i < nwires; i++) {
		if (!wire_whole(&wires[i]))
			continue;
		who = wires[i].node[0];
		n++;
	}
	CHECK(n == 1);
	return who;
}

/* Both have said HELLO before either hears the other's. */
static void
both_greet(const struct plan *of, unsigned lower)
{
	unsigned first;

	for (first = 0; first < 2; first++) {
		begin(of);
		node_post(0);
		node_post(1);
		say_hello(0);
		say_hello(1);
		hear_hello(first);
		hear_hello(1 - first);
		node_post(0);
		node_post(1);
		finish();
		CHECK(nmessages == 4 && stays() == lower);
		end();
	}
}

/* Who has said nothing yet takes the other's, whichever is lower. */
static void
one_greets(const struct plan *of, unsigned who)
{
	begin(of);
	node_post(0);
	node_post(1);
	say_hello(who);
	hear_hello(who);
	finish();
	CHECK(stays() == who);
	end();
}

/* The host was reached, and has said much, when the connection broke. */
static void
answer_lost(const struct plan *of)
{
	begin(of);
	node_post(0);
	say_hello(0);
	hear_hello(0);
	node_post(1);
	node_post(1);
	wire_cut(&wires[0], true);
	node_post(0);
	finish();
	CHECK(nmessages == 4 && stays() == 0);
	end();
}

/* A host that came back is heard before its last life is found dead. */
static void
came_back(const struct plan *of, unsigned dialed)
{
	begin(of);
	node_post(dialed);
	finish();
	deaths++;
	node_kill(1);
	node_start(1);
	node_post(1);
	say_hello(1);
	hear_hello(1);
	CHECK(cross_second(nodes[0].router, plan->where[1]) != NULL);
	finish();
	CHECK(messages[1].settled == 1 && messages[1].how == HM_DELIVERED);
	node_post(0);
	finish();
	CHECK(messages[2].settled == 1 && messages[2].how == HM_DELIVERED);
	CHECK(stays() == 1);
	end();
}

/* Its greeting is read when the connection of its next life breaks. */
static void
old_greeting(const struct plan *of)
{
	begin(of);
	node_post(1);
	say_hello(0);
	node_step(0, places[0].fd);
	node_kill(1);
	node_start(1);
	node_post(1);
	say_hello(1);
	hear_hello(1);
	node_post(0);
	wire_cut(&wires[1], true);
	node_step(0, wires[1].fd[1]);
	node_step(0, wires[0].fd[1]);
	finish();
	CHECK(nmessages == 3 && messages[2].how == HM_DELIVERED);
	end();
}

int
main(void)
{
	static const char *const ab[] = {"unix:/a", "unix:/b"};
	static const char *const ba[] = {"unix:/b", "unix:/a"};
	static const char *const tcp[] = {"tcp:10.0.0.1:7", "tcp:10.0.0.2:7"};
	static const struct plan plans[] = {
	    {"unix", 2, ab, {0}, {1, 0}, .now = true, .size = 100},
	    {"xinu", 2, ba, {0}, {1, 0}, .now = true, .size = 100},
	    {"tcp", 2, tcp, {0}, {1, 0}, .size = 2000},
	};
	static const unsigned lower[] = {0, 1, 0};
	size_t i;

	for (i = 0; i < sizeof plans / sizeof plans[0]; i++) {
		both_greet(&plans[i], lower[i]);
		one_greets(&plans[i], 0);
		one_greets(&plans[i], 1);
		came_back(&plans[i], 0);
		came_back(&plans[i], 1);
	}
	answer_lost(&plans[2]);
	old_greeting(&plans[2]);
	return 0;
}
