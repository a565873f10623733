/*
 * Limits: their defaults, every key from the environment and from a
 * configuration, and what a value that does not parse is answered with.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <hostmux/limits.h>

#include "check.h"

static void
test_defaults(void)
{
	struct hm_limits l;

	memset(&l, 0xff, sizeof l);
	hm_limits_init(&l);
	CHECK(l.spawn_ready_timeout == 30000 && l.delivery_timeout == 30000);
	CHECK(l.max_message == 64 << 20 && l.link_window == 1 << 20);
	CHECK(l.host_memory == 16 << 20 && l.session_timeout == 30000);
	CHECK(l.exit_timeout == 10000 && l.stop_actor_timeout == 10000);
	CHECK(l.cleanup_timeout == 3000 && l.snapshot_retention == 100);
	CHECK(l.greeting_timeout == 5000 && l.max_ungreeted == 256);
	CHECK(l.max_unsettled == 65536 && l.ttl == 64);
}

#define AT(member) offsetof(struct hm_limits, member)

static void
test_keys(void)
{
	static const struct {
		const char *key, *value;
		size_t at;
		uint64_t want;
	} cases[] = {
	    {"HOST_SPAWN_READY_TIMEOUT", "0", AT(spawn_ready_timeout), 0},
	    {"MESSAGE_DELIVERY_TIMEOUT", "500ms", AT(delivery_timeout), 500},
	    {"MESSAGE_TTL_DEFAULT", "255", AT(ttl), 255},
	    {"CODEC_MAX_FRAME_LENGTH", "10G", AT(max_message),
		(uint64_t)10 << 30},
	    {"LINK_WINDOW", "64k", AT(link_window), 65536},
	    {"HOST_MEMORY", "1M", AT(host_memory), 1 << 20},
	    {"LINK_SESSION_TIMEOUT", "2m", AT(session_timeout), 120000},
	    {"PROCESS_EXIT_TIMEOUT", "1.5s", AT(exit_timeout), 1500},
	    {"STOP_ACTOR_TIMEOUT", "3", AT(stop_actor_timeout), 3000},
	    {"CLEANUP_TIMEOUT", "1h", AT(cleanup_timeout), 3600000},
	    {"TERMINATED_SNAPSHOT_RETENTION", "0", AT(snapshot_retention), 0},
	};
	struct hm_limits set, env;
	char name[64];
	uint64_t n;
	size_t i;

	hm_limits_init(&set);
	hm_limits_init(&env);
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CHECK(hm_limits_set(&set, cases[i].key, cases[i].value, NULL) ==
		      0);
		memcpy(&n, (const char *)&set + cases[i].at, sizeof n);
		CHECK(n == cases[i].want);
		(void)snprintf(
		    name, sizeof name, "HYPERACTOR_%s", cases[i].key);
		CHECK(setenv(name, cases[i].value, 1) == 0);
		CHECK(hm_limits_from_env(&env, NULL) == 0);
		CHECK(memcmp(&set, &env, sizeof set) == 0);
	}
}

static void
test_refused(void)
{
	static const char *const cases[][2] = {
	    {"MESSAGE_TTL_DEFAULT", "0"},
	    {"MESSAGE_TTL_DEFAULT", "256"},
	    {"CODEC_MAX_FRAME_LENGTH", "11G"},
	    {"CODEC_MAX_FRAME_LENGTH", "0"},
	    {"LINK_WINDOW", "1"},
	    {"HOST_MEMORY", "16 MiB"},
	    {"PROCESS_EXIT_TIMEOUT", "soon"},
	    {"LINK_SESSION_TIMEOUT", "2000h"},
	    {"TERMINATED_SNAPSHOT_RETENTION", "-1"},
	    {"PROCESS_EXIT_TIMEOUT", ""},
	};
	struct hm_limits was, l;
	struct hm_error err;
	size_t i;

	hm_limits_init(&l);
	was = l;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CHECK(hm_limits_set(&l, cases[i][0], cases[i][1], &err) == -1);
		CHECK(errno == EINVAL);
		CHECK(strncmp(err.text, cases[i][0], strlen(cases[i][0])) == 0);
		CHECK(memcmp(&was, &l, sizeof l) == 0);
	}
	CHECK(hm_limits_set(&l, "HOST_MEMROY", "1M", &err) == -1);
	CHECK(strcmp(err.text, "unknown configuration key 'HOST_MEMROY'") == 0);
	CHECK(setenv("HYPERACTOR_HOST_MEMORY", "lots", 1) == 0);
	CHECK(hm_limits_from_env(&l, &err) == -1);
	CHECK(err.kind == HM_ERR_INVALID);
	CHECK(strcmp(err.text,
		  "parameter 'HYPERACTOR_HOST_MEMORY' invalid: value: 'lots' "
		  "is not a size (64k, 1M, 10G)") == 0);
}

int
main(void)
{
	test_defaults();
	test_keys();
	test_refused();
	return 0;
}
