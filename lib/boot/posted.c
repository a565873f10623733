/*
 * What a runner posts: counted until it is settled, and when it cannot be
 * posted that is said, here or to who waits for it.
 */
#include <errno.h>
#include <string.h>

#include "boot/runner.h"

/* What an envelope costs beside its payload. */
#define POST_COST 512

static uint64_t
cost_of(const struct hm_envelope *env)
{
	return hm_payload_len(env) + POST_COST;
}

void
runner_forget(struct runner *r, const struct hm_envelope *env)
{
	r->out -= cost_of(env);
}

int
runner_post(struct runner *r, struct hm_envelope *env, bool stream)
{
	uint64_t cost = cost_of(env);
	int done;

	if (r->out > 0 && r->out + cost > r->limits.host_memory)
		return -1;
	done = hm_post(r->main, env);
	if (done == -1 && errno == EAGAIN) {
		if (stream)
			return -1;
		done = hm_post_unchecked(r->main, env);
	}
	if (done == 0) {
		r->out += cost;
		return 0;
	}
	hm_log(r->loop, HM_LOG_ERROR, "message of %zu bytes lost: %s",
	    hm_payload_len(env), strerror(errno));
	hm_envelope_free(env);
	return 1;
}

static int
say(struct runner *r, const struct hm_id *dest, const char *type,
    const char *const *headers, const void *bytes, size_t len)
{
	struct hm_draft draft = {NULL, dest == NULL ? &r->dest : dest, type,
	    (unsigned)r->limits.ttl, 0, NULL, headers};
	struct hm_error err;
	struct hm_envelope *env = hm_envelope_new(&draft, bytes, len, &err);
	int done;

	if (env == NULL) {
		hm_log(r->loop, HM_LOG_ERROR, "message of %zu bytes lost: %s",
		    len, err.text);
		return 1;
	}
	done = runner_post(r, env, dest == NULL);
	if (done == -1)
		hm_envelope_free(env);
	return done;
}

int
runner_say(struct runner *r, const struct hm_id *dest, const char *type,
    const void *bytes, size_t len)
{
	return say(r, dest, type, NULL, bytes, len);
}

int
runner_deny(struct runner *r, const struct hm_id *dest, const char *why)
{
	const char *headers[] = {HM_HEADER_REFUSED, why, NULL};

	return say(r, dest, "text/plain", headers, "", 0);
}
