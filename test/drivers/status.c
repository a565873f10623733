/*
 * The status of a proc: every change, every form, and its JSON both ways.
 */
#include <sys/wait.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/status.h>

#include "base/sys.h"
#include "check.h"

static void
test_changes(void)
{
	static const char legal[7][8] = {/* to Starting, Running, Ready,
					  * Stopping, Stopped, Killed, Failed */
	    "-xxxxxx",			 /* from Starting */
	    "--xxxxx",			 /* Running */
	    "---xxxx",			 /* Ready */
	    "----xxx",			 /* Stopping */
	    "-------", "-------", "-------"};
	enum hm_state from, to;

	for (from = HM_STARTING; from <= HM_FAILED; from++) {
		for (to = HM_STARTING; to <= HM_FAILED; to++)
			CHECK(hm_state_legal(from, to) ==
			      (legal[from][to] == 'x'));
		CHECK(hm_state_terminal(from) == (from >= HM_STOPPED));
		CHECK(hm_state_of(hm_state_name(from)) == (int)from);
	}
	CHECK(hm_state_of("ready") == -1 && hm_state_of("") == -1);
}

static struct hm_status
blank(enum hm_state state)
{
	struct hm_status status;

	memset(&status, 0, sizeof status);
	status.state = state;
	status.cpu = -1;
	return status;
}

static bool
prints(const struct hm_status *status, bool uptime, const char *want)
{
	char buf[512];

	return strcmp(hm_status_print(status, uptime, buf, sizeof buf), want) ==
	       0;
}

static void
test_printed(void)
{
	struct hm_status status = blank(HM_STARTING);

	status.started = sys_wall() - 3.5;
	CHECK(prints(&status, true, "Starting"));
	status.state = HM_RUNNING;
	CHECK(prints(&status, true, "Running up 3s"));
	CHECK(prints(&status, false, "Running"));
	status.state = HM_READY;
	(void)snprintf(status.addr, sizeof status.addr, "unix:/x");
	CHECK(prints(&status, true, "Ready at unix:/x up 3s"));
	CHECK(prints(&status, false, "Ready at unix:/x"));
	status.state = HM_STOPPING;
	CHECK(prints(&status, true, "Stopping up 3s"));
	status.started = sys_wall() - 247.5;
	CHECK(prints(&status, true, "Stopping up 4m7s"));
	status.started = sys_wall() - 2 * 86400 - 3601;
	CHECK(prints(&status, true, "Stopping up 2d1h"));
	status.started = sys_wall() + 100; /* the clock was put back */
	CHECK(prints(&status, true, "Stopping up 0s"));
	status.state = HM_STOPPED;
	status.exit_code = 7;
	CHECK(prints(&status, true, "Stopped(exit=7)"));
	status.state = HM_KILLED;
	status.signal = 9;
	CHECK(prints(&status, true, "Killed(sig=9)"));
	status.core = true;
	CHECK(prints(&status, true, "Killed(sig=9, core)"));
	status.state = HM_FAILED;
	(void)snprintf(status.reason, sizeof status.reason, "supervisor lost");
	CHECK(prints(&status, true, "Failed(supervisor lost)"));
}

/* status, by way of JSON. */
static struct hm_status
by_json(const struct hm_status *status, char **text)
{
	struct hm_status back;
	struct hm_json_out out;
	struct hm_json *json;
	size_t len;

	hm_json_out_init(&out);
	hm_json_open(&out, NULL, '{');
	hm_json_put_string(&out, "name", "w1"); /* ignored */
	hm_status_put(status, &out);
	hm_json_close(&out, '}');
	*text = hm_json_out_take(&out, &len);
	CHECK(*text != NULL);
	json = hm_json_parse(*text, len, NULL);
	CHECK(json != NULL);
	memset(&back, 0xff, sizeof back);
	CHECK(hm_status_get(&back, json) == 0);
	hm_json_free(json);
	return back;
}

static void
test_json(void)
{
	struct hm_status status, back;
	enum hm_state state;
	char *text;

	for (state = HM_STARTING; state <= HM_FAILED; state++) {
		status = blank(state);
		back = by_json(&status, &text);
		CHECK(memcmp(&status, &back, sizeof status) == 0);
		CHECK(strstr(text, "\"pid\"") == NULL);
		CHECK(strstr(text, "\"uptime\"") == NULL);
		free(text);
		status.pid = 4242;
		status.started = 1764252000.125;
		status.asked = true;
		status.cpu = 0.25;
		status.peak_memory = UINT64_MAX;
		strcpy(status.addr, "unix:/x");
		strcpy(status.agent, "unix:/x,w1,agent[0]");
		strcpy(status.reason, "because \"so\"");
		status.exit_code = state == HM_STOPPED ? 255 : 0;
		status.signal = state == HM_KILLED ? 11 : 0;
		status.core = state == HM_KILLED;
		status.ended = state >= HM_STOPPED ? 1764252003.5 : 0;
		back = by_json(&status, &text);
		CHECK(memcmp(&status, &back, sizeof status) == 0);
		CHECK(state < HM_STOPPED ||
		      strstr(text, "\"uptime\":3.375,") != NULL);
		free(text);
	}
}

static void
test_foreign_json(void)
{
	static const char text[] = "{\"status\":\"Stopped\",\"exit\":256,"
				   "\"pid\":-1,\"signal\":\"x\",\"addr\":5}";
	struct hm_status status;
	struct hm_json *json = hm_json_parse(text, sizeof text - 1, NULL);

	CHECK(json != NULL && hm_status_get(&status, json) == 0);
	CHECK(status.state == HM_STOPPED && status.exit_code == 0);
	CHECK(status.pid == 0 && status.addr[0] == '\0' && status.cpu < 0);
	hm_json_free(json);
	json = hm_json_parse("{\"status\":\"Gone\"}", 17, NULL);
	CHECK(json != NULL && hm_status_get(&status, json) == -1);
	hm_json_free(json);
	CHECK(hm_status_get(&status, NULL) == -1);
}

/* What waitpid says of a child that does that. */
static struct hm_status
end_of(int code, int sig)
{
	struct hm_status status = blank(HM_READY);
	int said;
	pid_t pid = fork();

	CHECK(pid != -1);
	if (pid == 0) {
		if (sig != 0)
			(void)kill(getpid(), sig);
		_exit(code);
	}
	CHECK(waitpid(pid, &said, 0) == pid);
	hm_status_from_wait(&status, said);
	return status;
}

static void
test_wait(void)
{
	struct hm_status status = end_of(3, 0);

	CHECK(status.state == HM_STOPPED && status.exit_code == 3);
	CHECK(hm_status_exit(&status) == 3);
	status = end_of(0, 0);
	CHECK(status.state == HM_STOPPED && hm_status_exit(&status) == 0);
	status = end_of(0, SIGKILL);
	CHECK(status.state == HM_KILLED && status.signal == SIGKILL);
	CHECK(!status.core && hm_status_exit(&status) == 137);
	status = blank(HM_FAILED);
	CHECK(hm_status_exit(&status) == 125);
	status = blank(HM_READY);
	hm_status_from_wait(&status, SIGSEGV | 0x80); /* as Linux packs it */
	CHECK(status.signal == SIGSEGV && status.core);
}

int
main(void)
{
	test_changes();
	test_printed();
	test_json();
	test_foreign_json();
	test_wait();
	return 0;
}
