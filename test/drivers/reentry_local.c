/*
 * The same with procs in this process: what their actors, who watches these and
 * who waits for the procs do, from inside the call.
 */
#include "reentry.h"

static struct hm_actor_watch watch;

typedef int begin_fn(void *arg, struct hm_proc *proc,
    const struct hm_spawn *spawn, struct hm_error *why);

/* A proc that begins so, of a host. */
static struct hm_handle *
begun(begin_fn *begin_it)
{
	const struct hm_local_config config = {begin_it, NULL, 1000};
	struct hm_manager *manager = hm_local_manager_new(loop, &config, &err);

	CHECK(manager != NULL);
	serve(manager, NULL);
	return spawned(manager, "p", NULL);
}

static struct hm_handle *
only_proc(void)
{
	return hm_manager_first(hm_host_manager(host));
}

static int
never(struct hm_actor *actor, const struct hm_actor_status *why)
{
	(void)actor;
	(void)why;
	return HM_LATER;
}

/* Does not stop by itself. */
static const struct hm_behaviour stubborn = {NULL, answer, NULL, NULL, never};

static int
begin_watched(void *arg, struct hm_proc *proc, const struct hm_spawn *spawn,
    struct hm_error *why)
{
	struct hm_actor *actor =
	    hm_actor_spawn(proc, "main", &stubborn, NULL, why);

	(void)arg;
	(void)spawn;
	CHECK(actor != NULL);
	return hm_actor_watch_start(actor, &watch);
}

static void
kill_stopping(
    void *arg, struct hm_actor *actor, const struct hm_actor_status *status)
{
	(void)arg;
	(void)actor;
	if (status->state != HM_ACTOR_STOPPING)
		return;
	hm_actor_watch_stop(&watch);
	CHECK(hm_handle_kill(only_proc(), "x", &err) == 0);
}

/* Who watches an actor kills the proc whose end has just begun. */
static void
kill_in_terminate(void)
{
	struct hm_handle *handle;

	watch.fn = kill_stopping;
	handle = begun(begin_watched);
	CHECK(hm_handle_terminate(handle, 60000, "x", &err) == 0);
	ends_as(handle, "Stopped(exit=0)");
}

static int
begin_coordinator(void *arg, struct hm_proc *proc, const struct hm_spawn *spawn,
    struct hm_error *why)
{
	if (begin_watched(arg, proc, spawn, why) == -1)
		return -1;
	return hm_proc_supervise(
	    proc, hm_proc_actor(proc, "main"), HM_PORT_DEFAULT);
}

static void
wait_stopping(
    void *arg, struct hm_actor *actor, const struct hm_actor_status *status)
{
	(void)arg;
	(void)actor;
	if (status->state != HM_ACTOR_STOPPING)
		return;
	CHECK(hm_handle_wait(only_proc(), HM_UNTIL_END, 200, &err) == -1);
	CHECK(err.code == ETIMEDOUT);
}

/* Who watches the coordinator turns the loop until its time is up: the end
 * goes on when that returns. */
static void
wait_in_terminate(void)
{
	struct hm_handle *handle;

	watch.fn = wait_stopping;
	handle = begun(begin_coordinator);
	CHECK(hm_handle_terminate(handle, 50, "x", &err) == 0);
	ends_as(handle, "Stopped(exit=0)");
	CHECK(hm_handle_destroyed(handle)->nleft == 1);
}

static int
begin_stopped(void *arg, struct hm_proc *proc, const struct hm_spawn *spawn,
    struct hm_error *why)
{
	(void)arg;
	(void)spawn;
	(void)why;
	hm_proc_stop(proc, 3);
	return 0;
}

/* It is stopped before it has a handle. */
static void
stop_in_begin(void)
{
	ends_as(begun(begin_stopped), "Stopped(exit=3)");
	CHECK(is_shown("p", "spawned", "Stopped"));
}

static int
kill_itself(struct hm_actor *actor, struct hm_envelope *msg)
{
	int i;

	(void)actor;
	(void)msg;
	for (i = 0; i < 2; i++) {
		CHECK(hm_handle_kill(only_proc(), "x", &err) == 0);
		CHECK(hm_handle_wait(only_proc(), HM_UNTIL_END, 8000, &err) ==
		      -1);
		CHECK(err.code == EIO);
	}
	return HM_TAKEN;
}

static int
begin_killing(void *arg, struct hm_proc *proc, const struct hm_spawn *spawn,
    struct hm_error *why)
{
	(void)arg;
	(void)spawn;
	return hm_proc_spawn(proc, "main", kill_itself, NULL, why) == NULL ? -1
									   : 0;
}

/* A callback that waits for the end of its own proc hears after 5 s that there
 * is none, and so it does when it asks again. */
static void
stuck_again(void)
{
	struct hm_handle *handle = begun(begin_killing);
	struct hm_actor *client = instance(hm_host_local_proc(host), "c");
	const struct hm_id id = main_of("p");

	post_with_reply(client, &id, "x", NULL);
	CHECK(hm_handle_wait(handle, HM_UNTIL_END, 0, &err) == -1);
	ends_as(handle, "Stopped(exit=0)");
	hm_actor_free(client);
}

/* Restarted while the manager is freed, it would be there again for ever. */
static void
spawn_in_free(void)
{
	const struct hm_local_config config = {NULL, NULL, 1000};
	struct hm_manager *manager = hm_local_manager_new(loop, &config, &err);
	struct hm_proc *proc = hm_proc_local(loop, &err);
	struct hm_spawn spawn = {.beside = proc, .in = -1};
	struct hm_waiter waiter;

	CHECK(manager != NULL && proc != NULL);
	spawn = without_host(&spawn);
	await(
	    bare(manager, &spawn), &waiter, HM_UNTIL_END, spawn_again, &spawn);
	hm_manager_free(manager);
	hm_proc_free(proc);
}

int
main(int argc, char **argv)
{
	static const struct reentry cases[] = {
	    CASE(kill_in_terminate),
	    CASE(wait_in_terminate),
	    CASE(stop_in_begin),
	    CASE(stuck_again),
	    CASE(spawn_in_free),
	};

	return reenter(cases, sizeof cases / sizeof *cases, argc, argv);
}
