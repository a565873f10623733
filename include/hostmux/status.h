/*
 * The status of a proc: a value, and the machine of its legal changes.
 */
#ifndef HOSTMUX_STATUS_H
#define HOSTMUX_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <hostmux/addr.h>
#include <hostmux/id.h>
#include <hostmux/json.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hm_state {
	HM_STARTING,
	HM_RUNNING,
	HM_READY,
	HM_STOPPING,
	HM_STOPPED, /* from here on terminal */
	HM_KILLED,
	HM_FAILED
};

#define HM_REASON_MAX 256
#define HM_TAIL_LINES 100
#define HM_TAIL_BYTES 8192

struct hm_status {
	enum hm_state state;
	pid_t pid;		    /* 0: unknown */
	int exit_code;		    /* STOPPED */
	int signal;		    /* KILLED */
	bool core;		    /* KILLED */
	double started, ended;	    /* seconds of the wall clock, 0: not yet */
	double cpu;		    /* seconds used; < 0 unknown */
	uint64_t peak_memory;	    /* bytes, 0 unknown */
	char addr[HM_ADDR_SIZE];    /* "" before READY */
	char agent[HM_ID_TEXT];	    /* actor id, "" before READY */
	char reason[HM_REASON_MAX]; /* why the end was asked for, or FAILED's */
	bool asked;		    /* the end was asked for */
};

bool hm_state_terminal(enum hm_state state);
/* "Starting" … */
const char *hm_state_name(enum hm_state state);
int hm_state_of(const char *name); /* -1 if none */
/* Is from → to one of the legal changes? */
bool hm_state_legal(enum hm_state from, enum hm_state to);
/* "Ready at ADDR up 3s", "Killed(sig=11, core)" …; with uptime false without
 * "up".  Returns buf. */
char *hm_status_print(
    const struct hm_status *status, bool uptime, char *buf, size_t size);
/* The members of an open JSON object: status, pid, exit, signal, core, reason,
 * addr, agent, started, uptime, ended, cpu, peak_memory (only what is known),
 * and "asked" when it is. */
void hm_status_put(const struct hm_status *status, struct hm_json_out *out);
/* The inverse; unknown members are ignored.  -1 if there is no status. */
int hm_status_get(struct hm_status *status, const struct hm_json *object);
/* STOPPED or KILLED by what waitpid said. */
void hm_status_from_wait(struct hm_status *status, int wait_status);
/* The exit status of a wrapper: code, 128 + signal, 125 for FAILED. */
int hm_status_exit(const struct hm_status *status);

#ifdef __cplusplus
}
#endif
#endif
