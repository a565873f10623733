/*
 * The limits of a node: a table of keys, their defaults, and how they are
 * written.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hostmux/limits.h>
#include <hostmux/text.h>

enum form { DURATION, SIZE, COUNT };

#define MIB ((uint64_t)1 << 20)

static const struct key {
	const char *name;
	enum form form;
	size_t at; /* of the uint64_t in struct hm_limits */
	uint64_t standard, min, max;
} keys[] = {
#define LIMIT(member) offsetof(struct hm_limits, member)
    {"HOST_SPAWN_READY_TIMEOUT", DURATION, LIMIT(spawn_ready_timeout), 30000, 0,
	UINT32_MAX},
    {"MESSAGE_DELIVERY_TIMEOUT", DURATION, LIMIT(delivery_timeout), 30000, 0,
	UINT32_MAX},
    {"CODEC_MAX_FRAME_LENGTH", SIZE, LIMIT(max_message), 64 * MIB, 1,
	10240 * MIB},
    {"LINK_WINDOW", SIZE, LIMIT(link_window), MIB, 4096, 1024 * MIB},
    {"HOST_MEMORY", SIZE, LIMIT(host_memory), 16 * MIB, 64 * 1024,
	UINT64_MAX >> 1},
    {"LINK_SESSION_TIMEOUT", DURATION, LIMIT(session_timeout), 30000, 0,
	UINT32_MAX},
    {"PROCESS_EXIT_TIMEOUT", DURATION, LIMIT(exit_timeout), 10000, 0,
	UINT32_MAX},
    {"STOP_ACTOR_TIMEOUT", DURATION, LIMIT(stop_actor_timeout), 10000, 0,
	UINT32_MAX},
    {"CLEANUP_TIMEOUT", DURATION, LIMIT(cleanup_timeout), 3000, 0, UINT32_MAX},
    {"TERMINATED_SNAPSHOT_RETENTION", COUNT, LIMIT(snapshot_retention), 100, 0,
	1000000},
    {"MESSAGE_TTL_DEFAULT", COUNT, LIMIT(ttl), 64, 1, 255},
#undef LIMIT
};

#define KEYS (sizeof keys / sizeof keys[0])

static void
store(struct hm_limits *limits, const struct key *key, uint64_t value)
{
	unsigned char *p = (unsigned char *)limits + key->at;

	memcpy(p, &value, sizeof value);
}

void
hm_limits_init(struct hm_limits *limits)
{
	size_t i;

	memset(limits, 0, sizeof *limits);
	limits->greeting_timeout = 5000;
	limits->max_ungreeted = 256;
	limits->max_unsettled = 65536;
	for (i = 0; i < KEYS; i++)
		store(limits, &keys[i], keys[i].standard);
}

static int
read_value(struct hm_limits *limits, const struct key *key, const char *value,
    const char *what, struct hm_error *err)
{
	uint64_t n;
	int done;

	if (key->form == DURATION)
		done = hm_text_duration(value, what, &n, err);
	else if (key->form == SIZE)
		done = hm_text_size(value, what, &n, err);
	else
		done = hm_text_number(value, what, key->min, key->max, &n, err);
	if (done == -1)
		return -1;
	if (n < key->min || n > key->max)
		return hm_fail(
		    err, EINVAL, "%s: '%.60s' is out of range", what, value);
	store(limits, key, n);
	return 0;
}

int
hm_limits_from_env(struct hm_limits *limits, struct hm_error *err)
{
	char name[64];
	const char *value;
	struct hm_error why;
	size_t i;

	for (i = 0; i < KEYS; i++) {
		(void)snprintf(
		    name, sizeof name, "HYPERACTOR_%s", keys[i].name);
		value = getenv(name);
		if (value != NULL &&
		    read_value(limits, &keys[i], value, "value", &why) == -1)
			return hm_fail_kind(err, HM_ERR_INVALID, EINVAL,
			    "parameter '%s' invalid: %s", name, why.text);
	}
	return 0;
}

int
hm_limits_set(struct hm_limits *limits, const char *key, const char *value,
    struct hm_error *err)
{
	size_t i;

	for (i = 0; i < KEYS; i++) {
		if (strcmp(keys[i].name, key) == 0)
			return read_value(limits, &keys[i], value, key, err);
	}
	return hm_fail_kind(err, HM_ERR_INVALID, EINVAL,
	    "unknown configuration key '%.64s'", key);
}
