/*
 * Statuses: the machine is a table, and so is what each state prints.
 */
#include <sys/wait.h>

#include <stdio.h>
#include <string.h>

#include <hostmux/status.h>

#include "base/sys.h"

static const char *const state_names[] = { "Starting", "Running", "Ready",
	"Stopping", "Stopped", "Killed", "Failed" };

#define STATES (HM_FAILED + 1)
#define BIT(state) (1u << (state))
#define TERMINAL (BIT(HM_STOPPED) | BIT(HM_KILLED) | BIT(HM_FAILED))

/* What may follow each state; nothing follows a terminal one. */
static const unsigned legal[STATES] = {
	[HM_STARTING] = BIT(HM_RUNNING) | BIT(HM_READY) | BIT(HM_STOPPING) |
	    TERMINAL,
	[HM_RUNNING] = BIT(HM_READY) | BIT(HM_STOPPING) | TERMINAL,
	[HM_READY] = BIT(HM_STOPPING) | TERMINAL,
	[HM_STOPPING] = TERMINAL,
};

bool
hm_state_terminal(enum hm_state state)
{
	return state >= HM_STOPPED;
}

const char *
hm_state_name(enum hm_state state)
{
	return state < STATES ? state_names[state] : "?";
}

int
hm_state_of(const char *name)
{
	int i;

	for (i = 0; i < STATES; i++) {
		if (strcmp(state_names[i], name) == 0)
			return i;
	}
	return -1;
}

bool
hm_state_legal(enum hm_state from, enum hm_state to)
{
	return from < STATES && to < STATES && (legal[from] & BIT(to)) != 0;
}

static double
uptime_of(const struct hm_status *status)
{
	double up;

	if (status->started <= 0)
		return 0;
	up = (status->ended > 0 ? status->ended : sys_wall()) -
	    status->started;
	return up < 0 ? 0 : up;
}

char *
hm_status_print(const struct hm_status *status, bool uptime, char *buf,
    size_t size)
{
	char up[32] = "";

	if (uptime && status->state != HM_STARTING)
		(void)snprintf(up, sizeof up, " up %.0fs",
		    uptime_of(status));
	switch (status->state) {
	case HM_READY:
		(void)snprintf(buf, size, "Ready at %s%s", status->addr, up);
		break;
	case HM_STOPPED:
		(void)snprintf(buf, size, "Stopped(exit=%d)",
		    status->exit_code);
		break;
	case HM_KILLED:
		(void)snprintf(buf, size, "Killed(sig=%d%s)", status->signal,
		    status->core ? ", core" : "");
		break;
	case HM_FAILED:
		(void)snprintf(buf, size, "Failed(%s)", status->reason);
		break;
	default:
		(void)snprintf(buf, size, "%s%s",
		    hm_state_name(status->state), up);
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

void
hm_status_put(const struct hm_status *status, struct hm_json_out *out)
{
	hm_json_put_string(out, "status", hm_state_name(status->state));
	if (status->pid > 0)
		hm_json_put_u64(out, "pid", (uint64_t)status->pid);
	if (status->state == HM_STOPPED)
		hm_json_put_i64(out, "exit", status->exit_code);
	if (status->state == HM_KILLED) {
		hm_json_put_i64(out, "signal", status->signal);
		hm_json_put_bool(out, "core", status->core);
	}
	put_text(out, "reason", status->reason);
	if (status->asked)
		hm_json_put_bool(out, "asked", true);
	put_text(out, "addr", status->addr);
	put_text(out, "agent", status->agent);
	if (status->started > 0) {
		hm_json_put_double(out, "started", status->started);
		hm_json_put_double(out, "uptime", uptime_of(status));
	}
	if (status->ended > 0)
		hm_json_put_double(out, "ended", status->ended);
	if (status->cpu >= 0 && hm_state_terminal(status->state))
		hm_json_put_double(out, "cpu", status->cpu);
	if (status->peak_memory > 0)
		hm_json_put_u64(out, "peak_memory", status->peak_memory);
}

static int
get_int(const struct hm_json *object, const char *key)
{
	double n = hm_json_double(object, key, 0);

	return n > -1e9 && n < 1e9 ? (int)n : 0;
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

	memset(status, 0, sizeof *status);
	status->cpu = -1;
	if (state == -1)
		return -1;
	status->state = (enum hm_state)state;
	status->pid = get_int(object, "pid");
	status->exit_code = get_int(object, "exit");
	status->signal = get_int(object, "signal");
	status->core = hm_json_bool(object, "core", false);
	status->asked = hm_json_bool(object, "asked", false);
	status->started = hm_json_double(object, "started", 0);
	status->ended = hm_json_double(object, "ended", 0);
	status->cpu = hm_json_double(object, "cpu", -1);
	(void)hm_json_u64(object, "peak_memory", &status->peak_memory);
	get_text(object, "addr", status->addr, sizeof status->addr);
	get_text(object, "agent", status->agent, sizeof status->agent);
	get_text(object, "reason", status->reason, sizeof status->reason);
	return 0;
}

void
hm_status_from_wait(struct hm_status *status, int wait_status)
{
	if (WIFSIGNALED(wait_status)) {
		status->state = HM_KILLED;
		status->signal = WTERMSIG(wait_status);
#ifdef WCOREDUMP
		status->core = WCOREDUMP(wait_status) != 0;
#endif
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
