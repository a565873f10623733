/*
 * A wrapped command: what proc-boot makes of CMD.
 *
 * The wrap owns CMD's life: it starts it in a group of its own, passes signals
 * on once, reaps everything that falls to it, and ends the proc when CMD has
 * ended and what it printed is settled.  How messages reach CMD is its mode's
 * business: one of the tables below.
 */
#ifndef HM_WRAP_H
#define HM_WRAP_H

#include "boot/boot.h"
#include "boot/spawn.h"
#include "boot/tree.h"
#include "tool/feed.h"
#include "tool/tool.h"

struct wrap;

struct wrap_mode {
	/* Messages to main. */
	hm_handler *handle;
	/* CMD's descriptors into spawn; keeps the other ends.  NULL: none. */
	int (*plumb)(struct wrap *wrap, struct spawn *spawn);
	/* CMD was started (or failed): the ends given to it are closed. */
	void (*started)(struct wrap *wrap);
	/* The agent was told to stop: CMD is asked in the mode's way. */
	void (*stop)(struct wrap *wrap);
	/* A child of that pid has ended: true if it was the mode's own. */
	bool (*reaped)(struct wrap *wrap, pid_t pid, int status);
	/* CMD has ended: what it printed last is taken. */
	void (*ended)(struct wrap *wrap);
	/* Is everything posted that was printed? */
	bool (*done)(const struct wrap *wrap);
	/* Room has come to post. */
	void (*progress)(struct wrap *wrap);
	/* A signal for the children of the mode. */
	void (*signal)(struct wrap *wrap, int sig);
	void (*fini)(struct wrap *wrap);
};
extern const struct wrap_mode wrap_plain, wrap_lines, wrap_exec, wrap_frames;

struct wrap {
	struct tool *tool;
	const struct wrap_mode *mode;
	char **argv;
	const char *to_text, *join, *name;
	unsigned max;	/* --exec: at a time */
	bool json;	/* --frames */
	struct hm_id to; /* --to */
	struct hm_loop *loop;
	struct boot boot;     /* unless join */
	struct hm_proc *proc; /* boot's, or of its own */
	struct hm_actor *actor;
	struct inheritance inherit;
	pid_t child;	/* CMD; 0: not started, or ended */
	bool runs;	/* CMD was started and has not ended */
	bool stopping;	/* no more messages are taken */
	bool lost;	/* the supervisor or the host is gone */
	int status;	/* CMD's, as waitpid says */
	int exit;	/* what to exit with */
	struct lines *lines;
	struct exec *exec;
	struct frames *frames;
};

/* The proc with its command, from birth to end: what to exit with. */
int wrap_run(struct wrap *wrap);
/* Looks whether everything is over, and then ends the loop. */
void wrap_check(struct wrap *wrap);
const char *wrap_name(const struct wrap *wrap);
/* Posts text as from CMD to --to: 0, -1 EAGAIN, or said and dropped. */
int wrap_post(struct wrap *wrap, const struct hm_id *dest, const char *text,
    size_t len);
/* A pipe, both ends CLOEXEC, ours nonblocking: ours is fds[ours]. */
int wrap_pipe(int fds[2], int ours);

#endif
