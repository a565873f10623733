/*
 * What a joined proc says of itself: it has no supervisor who would.
 */
#include <errno.h>
#include <string.h>

#include <hostmux/status.h>

#include "boot/runner.h"
#include "proc/agent.h"

/* So long the host may take for it. */
#define TOLD_MS 1000

void
joined_ended(struct runner *r)
{
	struct hm_json_out out;
	struct hm_status how;
	struct hm_id dest;
	uint64_t end = hm_loop_now(r->loop) + TOLD_MS;

	memset(&how, 0, sizeof how);
	hm_status_from_wait(&how, r->wait_status);
	how.cpu = -1;
	hm_id_set(&dest, hm_proc_host(r->proc), "service", "host_agent", 0, 0);
	hm_json_begin(&out);
	hm_json_put_string(&out, "op", "status");
	hm_json_put_string(&out, "name", runner_name(r));
	hm_json_open(&out, "set", '{');
	hm_status_put(&how, &out);
	hm_json_close(&out, '}');
	if (hm_post_json(r->main, &dest, NULL, &out, false) == -1)
		hm_log(r->loop, HM_LOG_WARNING, "status of '%s' not told: %s",
		    runner_name(r), strerror(errno));
	hm_proc_hurry(r->proc);
	while (hm_proc_unsettled(r->proc) > 0 && hm_loop_now(r->loop) < end) {
		if (hm_loop_turn(r->loop, TOLD_MS) == -1)
			break;
	}
}
