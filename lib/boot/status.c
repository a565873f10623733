/*
 * The status of a proc.  Which change is legal is one table, a set of states
 * for each state; everything else here is how a status is written: for people,
 * and as members of a JSON object, where what is unknown does not appear.
 */
#include <sys/wait.h>

#include <stdio.h>
#include <string.h>

#include <hostmux/status.h>

#include "base/sys.h"

#define STATES (HM_FAILED + 1)
#define TO(state) (1u << (state))
#define TO_END (TO(HM_STOPPED) | TO(HM_KILLED) | TO(HM_FAILED))

static const struct {
	const char *name;
	unsigned to;
} states[STATES] = {
    [HM_STARTING] = {"Starting",
	TO(HM_RUNNING) | TO(HM_READY) | TO(HM_STOPPING) | TO_END},
    [HM_RUNNING] = {"Running", TO(HM_READY) | TO(HM_STOPPING) | TO_END},
    [HM_READY] = {"Ready", TO(HM_STOPPING) | TO_END},
    [HM_STOPPING] = {"Stopping", TO_END},
    [HM_STOPPED] = {"Stopped", 0},
    [HM_KILLED] = {"Killed", 0},
    [HM_FAILED] = {"Failed", 0},
};

/* Not in POSIX, and yet the same bit wherever there is a core to dump. */
#ifndef WCOREDUMP
#define WCOREDUMP(status) (((status)&0x80) != 0)
#endif

bool
hm_state_terminal(enum hm_state state)
{
	return states[state].to == 0;
}

const char *
hm_state_name(enum hm_state state)
{
	return states[state].name;
}

int
hm_state_of(const char *name)
{
	int i;

	for (i = 0; i < STATES; i++) {
		if (strcmp(states[i].name, name) == 0)
			return i;
	}
	return -1;
}

bool
hm_state_legal(enum hm_state from, enum hm_state to)
{
	return (states[from].to & TO(to)) != 0;
}

static double
uptime_of(const struct hm_status *status)
{
	double up =
	    (status->ended > 0 ? status->ended : sys_wall()) - status->started;

	return up > 0 ? up : 0; /* the wall clock may go back */
}

/* " up 3s", " up 4m7s", " up 2d1h": the two largest units. */
static void
print_uptime(const struct hm_status *status, char *buf, size_t size)
{
	static const struct {
		unsigned long seconds;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	unsigned long up;
	size_t i = 0;

	buf[0] = '\0';
	if (!(status->started > 0))
		return;
	up = (unsigned long)uptime_of(status);
	while (i < 3 && up < units[i].seconds)
		i++;
	if (i == 3)
		(void)snprintf(buf, size, " up %lus", up);
	else
		(void)snprintf(buf, size, " up %lu%c%lu%c",
		    up / units[i].seconds, units[i].unit,
		    up % units[i].seconds / units[i + 1].seconds,
		    units[i + 1].unit);
}

char *
hm_status_print(
    const struct hm_status *status, bool uptime, char *buf, size_t size)
{
	char up[64] = "";

	if (uptime)
		print_uptime(status, up, sizeof up);
	switch (status->state) {
	case HM_STARTING:
		(void)snprintf(buf, size, "Starting");
		break;
	case HM_READY:
		(void)snprintf(buf, size, "Ready at %s%s", status->addr, up);
		break;
	case HM_STOPPED:
		(void)snprintf(
		    buf, size, "Stopped(exit=%d)", status->exit_code);
		break;
	case HM_KILLED:
		(void)snprintf(buf, size, "Killed(sig=%d%s)", status->signal,
		    status->core ? ", core" : "");
		break;
	case HM_FAILED:
		(void)snprintf(buf, size, "Failed(%s)", status->reason);
		break;
	default:
		(void)snprintf(
		    buf, size, "%s%s", hm_state_name(status->state), up);
		break;
	}
	return buf;
}

static void
put_text(struct hm_json_out *out, const char *key, const char *text)
{
	if (text[0] != '\0')
		hm_json_put_string(out, key, text);
}

static void
put_seconds(struct hm_json_out *out, const char *key, double seconds)
{
	if (seconds > 0)
		hm_json_put_double(out, key, seconds);
}

void
hm_status_put(const struct hm_status *status, struct hm_json_out *out)
{
	hm_json_put_string(out, "status", hm_state_name(status->state));
	if (status->pid > 0)
		hm_json_put_i64(out, "pid", status->pid);
	if (status->state == HM_STOPPED)
		hm_json_put_i64(out, "exit", status->exit_code);
	if (status->state == HM_KILLED) {
		hm_json_put_i64(out, "signal", status->signal);
		hm_json_put_bool(out, "core", status->core);
	}
	if (status->asked)
		hm_json_put_bool(out, "asked", true);
	put_text(out, "reason", status->reason);
	put_text(out, "addr", status->addr);
	put_text(out, "agent", status->agent);
	put_seconds(out, "started", status->started);
	if (status->started > 0)
		hm_json_put_double(out, "uptime", uptime_of(status));
	put_seconds(out, "ended", status->ended);
	if (status->cpu >= 0)
		hm_json_put_double(out, "cpu", status->cpu);
	if (status->peak_memory > 0)
		hm_json_put_u64(out, "peak_memory", status->peak_memory);
}

/* A number up to max, 0 if it is missing or larger. */
static int
get_int(const struct hm_json *object, const char *key, int max)
{
	uint64_t n;

	if (hm_json_u64(object, key, &n) == -1 || n > (uint64_t)max)
		return 0;
	return (int)n;
}

static void
get_text(const struct hm_json *object, const char *key, char *buf, size_t size)
{
	(void)snprintf(buf, size, "%s", hm_json_string(object, key, ""));
}

int
hm_status_get(struct hm_status *status, const struct hm_json *object)
{
	int state = hm_state_of(hm_json_string(object, "status", ""));

	if (state == -1)
		return -1;
	memset(status, 0, sizeof *status);
	status->state = (enum hm_state)state;
	status->pid = get_int(object, "pid", INT32_MAX);
	status->exit_code = get_int(object, "exit", 255);
	status->signal = get_int(object, "signal", 127);
	status->core = hm_json_bool(object, "core", false);
	status->asked = hm_json_bool(object, "asked", false);
	get_text(object, "reason", status->reason, sizeof status->reason);
	get_text(object, "addr", status->addr, sizeof status->addr);
	get_text(object, "agent", status->agent, sizeof status->agent);
	status->started = hm_json_double(object, "started", 0);
	status->ended = hm_json_double(object, "ended", 0);
	status->cpu = hm_json_double(object, "cpu", -1);
	(void)hm_json_u64(object, "peak_memory", &status->peak_memory);
	return 0;
}

void
hm_status_from_wait(struct hm_status *status, int wait_status)
{
	if (WIFSIGNALED(wait_status)) {
		status->state = HM_KILLED;
		status->signal = WTERMSIG(wait_status);
		status->core = WCOREDUMP(wait_status);
	} else {
		status->state = HM_STOPPED;
		status->exit_code = WEXITSTATUS(wait_status);
	}
}

int
hm_status_exit(const struct hm_status *status)
{
	if (status->state == HM_STOPPED)
		return status->exit_code;
	return status->state == HM_KILLED ? 128 + status->signal : 125;
}
