/*
 * Handles: who waits for what, in which words it is told that it will not come,
 * and what a manager that cannot end its procs says.
 */
#include <errno.h>

#include "scripted.h"

static struct hm_loop *loop;
static struct hm_id id;
static struct hm_summary summary;
static unsigned bulks, changes;

static void
on_change(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	(void)handle;
	(void)why;
	++*(unsigned *)arg;
}

/* Drops the other waiter, which is due in the same change. */
struct rude {
	struct hm_waiter mine, *other;
};

static void
on_rude(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	(void)why;
	hm_handle_unwait(handle, ((struct rude *)arg)->other);
}

static struct hm_handle *
scripted(struct hm_manager **made, struct script script)
{
	struct hm_spawn spawning;
	struct hm_error err;
	struct hm_handle *handle;

	memset(&spawning, 0, sizeof spawning);
	spawning.id = &id;
	spawning.forwarder = "unix:/tmp/backend";
	*made = scripted_new(loop, script);
	handle = hm_manager_spawn(*made, &spawning, &err);
	CHECK(handle != NULL);
	return handle;
}

static void
test_waits(void)
{
	struct hm_manager *made;
	struct hm_handle *handle = scripted(
	    &made, (struct script){.how = SCRIPT_SILENT, .ends = true});
	struct hm_waiter each = {on_change, &changes, HM_UNTIL_CHANGE, NULL};
	struct hm_waiter ready = {on_change, &changes, HM_UNTIL_READY, NULL};
	struct hm_waiter end = {on_change, &changes, HM_UNTIL_END, NULL};
	struct rude rude = {{on_rude, &rude, HM_UNTIL_READY, NULL}, &ready};
	struct hm_status next;
	struct hm_error err;

	hm_handle_await(handle, &ready);
	hm_handle_await(handle, &rude.mine);
	CHECK(hm_handle_wait(handle, HM_UNTIL_READY, 10, &err) == -1);
	CHECK(err.code == ETIMEDOUT);
	next = handle->status;
	next.state = HM_READY;
	CHECK(handle_change(handle, &next) == 0 && changes == 0);
	CHECK(hm_handle_wait(handle, HM_UNTIL_READY, 10, &err) == 0);
	next.state = HM_RUNNING; /* back it does not go */
	CHECK(handle_change(handle, &next) == -1);
	hm_handle_await(handle, &each);
	hm_handle_await(handle, &end);
	CHECK(hm_handle_kill(handle, "", &err) == 0 && changes == 2);
	CHECK(hm_handle_terminate(handle, 0, "", &err) == 0 && changes == 4);
	CHECK(hm_handle_wait(handle, HM_UNTIL_END, 10, &err) == 0);
	CHECK(hm_handle_wait(handle, HM_UNTIL_READY, 10, &err) == 0);
	hm_manager_free(made);
}

static void
on_bad_end(void *arg, const struct hm_summary *result)
{
	(void)arg;
	summary = *result;
	bulks++;
}

/* Not seen any more: who waits is told, later ones at once, and nothing changes
 * it. */
static void
test_lost(void)
{
	struct hm_manager *made;
	struct hm_handle *handle =
	    scripted(&made, (struct script){.how = SCRIPT_LOST, .ends = true});
	struct hm_waiter each = {on_change, &changes, HM_UNTIL_CHANGE, NULL};
	struct hm_status next;
	struct hm_error err;

	changes = 0;
	hm_handle_await(handle, &each);
	CHECK(hm_handle_wait(handle, HM_UNTIL_READY, 5000, &err) == -1);
	CHECK(err.code == ECONNRESET &&
	      strcmp(err.text,
		  "lifecycle channel closed; cannot observe state") == 0);
	CHECK(hm_handle_wait(handle, HM_UNTIL_END, 5000, &err) == -1 &&
	      err.code == ECONNRESET);
	CHECK(hm_handle_kill(handle, "", &err) == -1 && err.code == ECONNRESET);
	CHECK(changes == 1);
	next = handle->status;
	next.state = HM_STOPPED;
	CHECK(handle_change(handle, &next) == -1);
	CHECK(hm_handle_free(handle) == -1 && errno == EBUSY);
	hm_manager_free(made);
}

/* What cannot be ended fails, and holds up nobody. */
static void
test_unsupported(void)
{
	struct hm_manager *made;
	struct hm_handle *handle =
	    scripted(&made, (struct script){.how = SCRIPT_READY});
	struct hm_error err;

	CHECK(hm_handle_wait(handle, HM_UNTIL_READY, 5000, &err) == 0);
	CHECK(hm_handle_terminate(handle, 0, "", &err) == -1);
	CHECK(err.code == ENOTSUP &&
	      strcmp(err.text, "terminate/kill unsupported by manager") == 0);
	hm_manager_request_stop(made, &id, 0, "");
	CHECK(hm_manager_stop_status(made, &id) == NULL);
	bulks = 0;
	CHECK(hm_manager_terminate_all(made, 0, 1, "", on_bad_end, NULL) == 0);
	CHECK(bulks == 1 && summary.attempted == 1 && summary.failed == 1);
	hm_manager_free(made);
}

static void
no_proof(struct script script, uint64_t timeout, int code, const char *words)
{
	struct hm_manager *made;
	struct hm_handle *handle = scripted(&made, script);
	struct hm_ready ready;
	struct hm_error err;
	char text[512];

	CHECK(hm_ready_prove(&ready, handle, &err) == -1);
	CHECK(err.code == EAGAIN);
	CHECK(hm_ready_ensure(&ready, handle, timeout, &err) == -1);
	(void)snprintf(text, sizeof text,
	    "proc 'unix:/h,w' failed to configure process: %s", words);
	if (strcmp(err.text, text) != 0)
		fprintf(stderr, "%s\n", err.text);
	CHECK(strcmp(err.text, text) == 0);
	CHECK(err.kind == HM_ERR_CONFIGURE && err.code == code);
	hm_manager_free(made);
}

static void
test_proof(void)
{
	struct hm_manager *made;
	struct hm_handle *handle =
	    scripted(&made, (struct script){.how = SCRIPT_READY, .after = 20});
	struct hm_ready ready;
	struct hm_error err;

	CHECK(hm_ready_ensure(&ready, handle, 0, &err) == 0);
	CHECK(ready.handle == handle);
	CHECK(strcmp(ready.addr.text, "unix:/tmp/nobody") == 0);
	CHECK(strcmp(ready.agent.proc, "w") == 0);
	CHECK(hm_ready_prove(&ready, handle, &err) == 0);
	hm_manager_free(made);

	no_proof((struct script){.how = SCRIPT_SILENT}, 10, ETIMEDOUT,
	    "proc 'w': Starting after 10 ms");
	no_proof((struct script){.how = SCRIPT_ENDED}, 0, ESRCH,
	    "proc already terminated (status: Stopped(exit=0))");
	no_proof((struct script){.how = SCRIPT_LOST}, 0, ECONNRESET,
	    "lifecycle channel closed; cannot observe state");
	no_proof((struct script){.how = SCRIPT_READY, .no_addr = true}, 0,
	    EADDRNOTAVAIL, "it is ready without an address");
	no_proof((struct script){.how = SCRIPT_READY, .no_agent = true}, 0,
	    ENXIO, "it is ready without an agent");
}

int
main(void)
{
	struct hm_error err;

	CHECK(hm_id_parse(&id, "unix:/h,w", &err) == 0);
	loop = hm_loop_new(NULL, &err);
	CHECK(loop != NULL);
	test_waits();
	test_lost();
	test_unsupported();
	test_proof();
	hm_loop_free(loop);
	return 0;
}
