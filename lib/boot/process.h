/*
 * A proc that is a process, from its start to the end of its tree.
 */
#ifndef HM_PROCESS_H
#define HM_PROCESS_H

#include "boot/callback.h"
#include "boot/handle.h"
#include "boot/output.h"
#include "boot/payload.h"
#include "boot/spawn.h"
#include "boot/tree.h"

/* How far its end has been pressed. */
enum press { PRESS_NONE, PRESS_ASKED, PRESS_TERM, PRESS_KILL };

struct process {
	struct hm_handle base;
	pid_t pid; /* of the leader until it is reaped, then 0 */
	char token[PAYLOAD_TOKEN];
	struct callback *call; /* its lifeline; NULL before and after */
	char addr[HM_ADDR_SIZE], agent[HM_ID_TEXT]; /* as it called back */
	bool called, binding; /* has called back; bind is unanswered */
	struct output out, err;
	uint64_t clock; /* of the lines */
	struct hm_timer ready, ladder;
	uint64_t ready_timeout;
	enum press press;
	uint64_t term_at, kill_at;
	bool exited;	   /* the leader is seen ended, and not reaped */
	bool ended;	   /* the leader was reaped, the tree may still live */
	uint64_t ended_at; /* of the loop's clock */
	int status, lost;  /* what waitpid said, or why it could not */
	int reported;	  /* what the child says CMD's status is, -1: nothing */
	double cpu, wall; /* used; when it ended */
	uint64_t peak;
};

struct process_manager {
	struct hm_manager base;
	struct hm_process_config config;
	char dir[HM_ADDR_SIZE];
	struct inheritance inherit;
	struct callbacks callbacks;
	struct tree tree;
	struct hm_task task; /* looks who has ended */
	struct hm_timer timer;
};

/* launch.c: pipes, environment, fork. */
struct hm_handle *process_spawn(struct hm_manager *manager,
    const struct hm_spawn *spawn, struct hm_error *err);

extern const struct handle_ops process_ops;
void process_timers(struct process *p);
/* A line of its callback; -1: not wanted. */
int process_said(struct process *p, const struct hm_json *line);
/* It will not become Ready; killed for it. */
void process_fail(struct process *p, enum hm_error_kind kind, int code,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The leader has ended and is not reaped yet: reaps it. */
void process_reap(struct process *p);
/* Its tree is empty, or time is up: the end is told, once it may be. */
bool process_may_end(const struct process *p);
void process_end(struct process *p);
void process_free(struct hm_handle *handle);

#endif
