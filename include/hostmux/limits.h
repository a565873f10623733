/*
 * Every bound of a node in one place, and the variables that set them.
 */
#ifndef HOSTMUX_LIMITS_H
#define HOSTMUX_LIMITS_H

#include <stdint.h>

#include <hostmux/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hm_limits {
	uint64_t spawn_ready_timeout; /* ms, 0 = for ever */
	uint64_t delivery_timeout;    /* ms without progress, 0 = never */
	uint64_t max_message;	      /* bytes of payload */
	uint64_t link_window;	      /* most credit of one link, bytes */
	uint64_t host_memory;	      /* most that all links may park */
	uint64_t session_timeout;     /* ms a lost TCP link may come back */
	uint64_t exit_timeout;	      /* ms, grace of terminate */
	uint64_t stop_actor_timeout, cleanup_timeout; /* ms */
	uint64_t snapshot_retention; /* ended procs or actors remembered */
	uint64_t greeting_timeout;   /* ms, 5000: a peer that says nothing */
	uint32_t max_ungreeted;	     /* 256 */
	uint32_t max_unsettled;	     /* 65536 messages per link */
	uint64_t ttl;		     /* hops of a new message */
};

/* The defaults of the table in hostmux(7). */
void hm_limits_init(struct hm_limits *limits);
/*
 * Reads HYPERACTOR_<KEY> for every key from the environment.  -1 with kind
 * INVALID: "parameter 'HYPERACTOR_X' invalid: …".
 */
int hm_limits_from_env(struct hm_limits *limits, struct hm_error *err);
/* One KEY=VALUE (no prefix); an unknown key is an error. */
int hm_limits_set(struct hm_limits *limits, const char *key, const char *value,
    struct hm_error *err);

#ifdef __cplusplus
}
#endif
#endif
