/*
 * The supervisor: brings itself up (attached to the host, all names reserved),
 * starts its wards, and serves until they are over.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/supervisor.h"
#include "boot/ward.h"
#include "proc/agent.h"

/* The longest line from the front is a word. */
#define FRONT_LINE_MAX 4096
/* What is posted at the end may take so long to be settled. */
#define LEAVE_MS 5000
#define VARIABLES_MAX 4

static void
on_all_ended(void *arg, const struct hm_summary *summary)
{
	(void)arg;
	(void)summary;
}

static void
end_all(struct supervisor *sup, const char *reason)
{
	if (sup->ending)
		return;
	sup->ending = true;
	if (sup->manager != NULL &&
	    hm_manager_terminate_all(sup->manager,
		sup->job->limits->exit_timeout, UINT32_MAX, reason,
		on_all_ended, NULL) == -1)
		hm_log(sup->loop, HM_LOG_ERROR, "no memory");
}

static struct ward *
find_ward(struct supervisor *sup, const char *name)
{
	unsigned i;

	for (i = 0; i < sup->job->count; i++) {
		if (strcmp(sup->wards[i].id.proc, name) == 0)
			return &sup->wards[i];
	}
	return NULL;
}

/* Nor will it be. */
static void
not_started(struct ward *ward)
{
	ward->cancelled = true;
	(void)hm_fail_kind(&ward->why, HM_ERR_CONFIGURE, ECANCELED,
	    "proc '%s' was not started any more", ward->id.proc);
	ward_begin(ward, NULL);
}

static int
take_request(struct supervisor *sup, struct hm_actor *self,
    const struct hm_json *json, bool kill_it)
{
	const char *name = hm_json_string(json, "name", "");
	const char *reason = hm_json_string(json, "reason", "asked to");
	struct ward *ward = find_ward(sup, name);
	double timeout = hm_json_double(json, "timeout", 10);

	if (ward == NULL || (ward->handle == NULL && ward->over))
		return hm_refuse(self, "no proc '%s' here", name);
	if (!(timeout >= 0 && timeout < 3e10))
		return hm_refuse(self, "\"timeout\": not a number of seconds");
	if (ward->handle == NULL) {
		not_started(ward);
		return HM_TAKEN;
	}
	/* One that has ended is known to the host, or will be in a moment. */
	if (kill_it)
		(void)hm_handle_kill(ward->handle, reason, NULL);
	else
		(void)hm_handle_terminate(
		    ward->handle, (uint64_t)(timeout * 1000), reason, NULL);
	return HM_TAKEN;
}

static int
on_message(struct hm_actor *self, struct hm_envelope *msg)
{
	struct hm_json *json = hm_agent_json(msg);
	const char *op = hm_json_string(json, "op", "");
	bool kill_it = strcmp(op, "kill") == 0;
	int taken;

	if (!kill_it && strcmp(op, "terminate") != 0)
		taken = hm_agent_handle(self, msg);
	else if (!hm_agent_trusts(msg))
		taken = hm_refuse(self,
		    "'%s' is for this host's own uid and "
		    "root",
		    op);
	else
		taken = take_request(hm_actor_arg(self), self, json, kill_it);
	hm_json_free(json);
	return taken;
}

/* What was posted came back: a stop for an agent that is gone, or anything,
 * when the host is. */
static void
on_return(struct hm_actor *self, struct hm_envelope *env)
{
	struct supervisor *sup = hm_actor_arg(self);
	struct ward *ward;
	struct hm_id dest;

	hm_envelope_dest(env, &dest);
	ward = find_ward(sup, dest.proc);
	if (ward != NULL && ward->handle != NULL)
		hm_handle_unheard(ward->handle);
}

static void
on_lost(void *arg, const char *why)
{
	struct supervisor *sup = arg;
	unsigned i;

	sup->lost = true;
	hm_log(sup->loop, HM_LOG_WARNING, "host %s: %s", sup->host_id, why);
	end_all(sup, "the host is lost");
	for (i = 0; i < sup->job->count; i++) {
		ward_lost(&sup->wards[i]);
		if (sup->wards[i].handle != NULL) /* no way to its agent */
			hm_handle_unheard(sup->wards[i].handle);
	}
}

static void
on_stop(void *arg, const char *reason)
{
	end_all(arg, reason);
}

static void
on_signal(void *arg, int sig)
{
	struct supervisor *sup = arg;

	if (sig == SIGCHLD)
		hm_manager_reap(sup->manager);
	else
		end_all(sup, "its supervisor was told to end");
}

static int
on_front(void *arg, const struct hm_json *line)
{
	struct supervisor *sup = arg;
	uint64_t sig;
	unsigned i;

	if (hm_json_bool(line, "release", false))
		sup->released = true;
	if (hm_json_u64(line, "signal", &sig) == -1 || sig == 0 || sig > 64)
		return 0;
	/* Who has not been started yet cannot hear it. */
	if (sup->manager == NULL || sig == SIGTERM || sig == SIGINT ||
	    sig == SIGHUP || sig == SIGQUIT)
		sup->no_more = true;
	for (i = 0; i < sup->job->count; i++) {
		if (sup->wards[i].handle != NULL)
			hm_handle_signal(sup->wards[i].handle, (int)sig);
	}
	return 0;
}

static void
on_front_closed(void *arg)
{
	struct supervisor *sup = arg;

	if (!sup->released)
		end_all(sup, "proc-spawn has ended");
}

static int
attach(struct supervisor *sup, struct hm_error *err)
{
	struct hm_json *info;

	sup->proc = enlist_client(sup, err);
	if (sup->proc == NULL)
		return -1;
	sup->agent = hm_proc_spawn(sup->proc, "agent", on_message, sup, err);
	if (sup->agent == NULL)
		return -1;
	hm_actor_on_return(sup->agent, on_return);
	info = hm_control(sup->agent, "{\"op\":\"info\"}", CONTROL_MS, err);
	if (info == NULL)
		return -1;
	(void)snprintf(sup->host_id, sizeof sup->host_id, "%s",
	    hm_json_string(info, "addr", ""));
	(void)snprintf(sup->backend, sizeof sup->backend, "%s",
	    hm_json_string(info, "backend", ""));
	(void)snprintf(sup->dir, sizeof sup->dir, "%s",
	    hm_json_string(info, "socket_dir", ""));
	hm_json_free(info);
	return 0;
}

static void
on_bind(
    void *arg, struct hm_handle *handle, const char *addr, const char *agent)
{
	(void)arg;
	ward_bind(hm_handle_arg(handle), addr, agent);
}

static void
on_line(void *arg, struct hm_handle *handle, const struct hm_line *line)
{
	struct supervisor *sup = arg;

	sinks_line(&sup->sinks, hm_handle_id(handle), line);
}

static int
take_signals(struct supervisor *sup, struct hm_error *err)
{
	static const int signals[] = {
	    SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
	sigset_t set;
	size_t i;

	(void)sigemptyset(&set);
	for (i = 0; i < sizeof signals / sizeof *signals; i++)
		(void)sigaddset(&set, signals[i]);
	(void)signal(SIGPIPE, SIG_IGN); /* of the caller's stdout */
	if (hm_loop_signals(sup->loop, &set, on_signal, sup) == -1)
		return hm_fail(err, errno, "signals: %s", strerror(errno));
	return 0;
}

static int
make_manager(struct supervisor *sup, struct hm_error *err)
{
	const struct hm_manager_user user = {
	    sup->agent, on_bind, ward_cut, sup};
	struct hm_process_config config;

	memset(&config, 0, sizeof config);
	config.socket_dir = sup->dir;
	config.subreaper = true;
	config.line = sup->sinks.first == NULL ? NULL : on_line;
	config.arg = sup;
	/* Before signals are taken: the procs get them as the caller had. */
	sup->manager = hm_process_manager_new(sup->loop, &config, err);
	if (sup->manager == NULL)
		return -1;
	hm_manager_use(sup->manager, &user);
	will_write(sup, hm_process_manager_callback(sup->manager));
	return take_signals(sup, err);
}

static void
spawn_ward(struct supervisor *sup, struct ward *ward)
{
	const struct job *job = sup->job;
	const char *channel = sinks_channel(&sup->sinks);
	char rank[64], count[64], log[HM_ID_TEXT + 32];
	const char *env[VARIABLES_MAX] = {rank, count, NULL, NULL};
	struct hm_spawn spawn;

	(void)snprintf(rank, sizeof rank, BOOT_RANK "=%u", ward->rank);
	(void)snprintf(count, sizeof count, BOOT_COUNT "=%u", job->count);
	if (channel != NULL) {
		(void)snprintf(log, sizeof log, BOOT_LOG "=%s", channel);
		env[2] = log;
	}
	memset(&spawn, 0, sizeof spawn);
	spawn.id = &ward->id;
	spawn.host = job->host;
	spawn.forwarder = sup->backend;
	spawn.token = ward->token;
	spawn.argv = job->argv;
	spawn.dir = job->dir;
	spawn.env = env;
	spawn.config = job->config;
	spawn.in = job->stay && !job->many ? STDIN_FILENO : -1;
	spawn.ready_timeout = job->ready_timeout;
	spawn.arg = ward;
	ward_begin(ward, hm_manager_spawn(sup->manager, &spawn, &ward->why));
}

/* Its turn has come. */
static void
begin(struct supervisor *sup, struct ward *ward)
{
	if (ward->cancelled)
		return;
	if (sup->ending || sup->no_more)
		not_started(ward);
	else
		spawn_ward(sup, ward);
}

static int
bring_up(struct supervisor *sup, struct hm_error *err)
{
	if (attach(sup, err) == -1 || enlist_sinks(sup, err) == -1 ||
	    enlist_names(sup, err) == -1 || make_manager(sup, err) == -1)
		return -1;
	hm_proc_on_lost(sup->proc, on_lost, sup);
	hm_proc_on_stop(sup->proc, on_stop, sup);
	return 0;
}

/* All are started: nobody's input or file system is kept busy. */
static void
let_go_of_place(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd != -1) {
		(void)dup2(fd, STDIN_FILENO);
		(void)close(fd);
	}
	(void)!chdir("/");
}

/* Nothing is left to watch over. */
static bool
is_done(const struct supervisor *sup)
{
	return sup->left == 0 && !hm_manager_busy(sup->manager);
}

static bool
is_unsettled(const struct supervisor *sup)
{
	return hm_proc_unsettled(sup->proc) > 0 ||
	       (sup->lines != NULL && hm_proc_unsettled(sup->lines) > 0);
}

/* What the host and the front are told is on its way. */
static void
leave(struct supervisor *sup)
{
	uint64_t end = hm_loop_now(sup->loop) + LEAVE_MS;

	while (
	    ((!sup->lost && is_unsettled(sup)) ||
		talk_waiting(&sup->front) > 0 || sinks_waiting(&sup->sinks)) &&
	    hm_loop_now(sup->loop) < end) {
		if (hm_loop_turn(sup->loop, 100) == -1)
			return;
	}
}

static void
run(struct supervisor *sup)
{
	unsigned next = 0, count = sup->job->count;

	while (!is_done(sup)) {
		/* One a turn: the first are ready before the last start. */
		if (next < count) {
			begin(sup, &sup->wards[next++]);
			if (next == count)
				let_go_of_place();
		}
		if (hm_loop_turn(sup->loop, next < count ? 0 : -1) == -1)
			return;
	}
	leave(sup);
}

void
supervise(const struct job *job, int front, int will)
{
	struct supervisor sup;
	struct hm_error err;

	memset(&sup, 0, sizeof sup);
	sup.job = job;
	sup.left = job->count;
	sup.will = will;
	sup.front.line_max = FRONT_LINE_MAX;
	sup.front.said = on_front;
	sup.front.closed = on_front_closed;
	sup.front.arg = &sup;
	sup.wards = calloc(job->count, sizeof *sup.wards);
	sup.loop = sup.front.loop = hm_loop_new(getenv("HOSTMUX_LOOP"), &err);
	if (sup.wards == NULL || sup.loop == NULL ||
	    talk_start(&sup.front, front) == -1) {
		(void)dprintf(front,
		    "{\"fatal\":{\"code\":%d,\"text\":\"supervisor: %s\"}}\n",
		    errno, strerror(errno));
		_exit(1);
	}
	hm_loop_set_log(sup.loop, front_say_log, &sup);
	if (bring_up(&sup, &err) == 0) {
		run(&sup);
	} else {
		/* Names are free before anybody hears of it. */
		hm_proc_free(sup.proc);
		sup.proc = NULL;
		front_say_fatal(&sup, &err);
	}
	hm_manager_free(sup.manager);
	hm_proc_free(sup.lines);
	hm_proc_free(sup.proc);
	sinks_fini(&sup.sinks);
	talk_stop(&sup.front);
	hm_loop_free(sup.loop);
	free(sup.wards);
}
