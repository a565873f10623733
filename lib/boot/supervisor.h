/*
 * The supervisor: the process that has the procs of one proc-spawn below it,
 * starts them, tells the host what becomes of them, and ends them when it is
 * told to, or when the host or the warden is lost.
 */
#ifndef HM_SUPERVISOR_H
#define HM_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include <hostmux/limits.h>

/* What proc-spawn was asked to do. */
struct job {
	const char *host; /* its address */
	const char *name; /* of the one, or the beginning of many */
	unsigned count;
	bool many; /* -n: names end in the rank */
	bool stay; /* -w: the front passes on signals, and output */
	uint64_t ready_timeout;
	char *const *argv;
	const char *dir;	    /* or NULL */
	const char *const *config;  /* KEY, VALUE, …, NULL */
	const char *const *outputs; /* of -o, NULL-ended */
	const struct hm_limits *limits;
};

/*
 * The talk with the front, over a socket whose end means that the other is
 * gone (before "release" that undoes the spawn):
 * to the front    {"fatal":{kind, code, text}}   nothing was spawned
 *                 {"ready":{rank, name, proc, pid, addr, agent}}
 *                 {"failed":{rank, name, kind, code, text, tail}}
 *                 {"ended":{rank, exit}}
 *                 {"log":{level, text}}
 * from the front  {"release":true}   it has told its caller
 *                 {"signal":N}       for the procs
 */

/* Runs until all its procs have ended.  Takes both: front is the talk, will
 * the pipe into which the paths are written that the warden removes if this
 * process cannot. */
void supervise(const struct job *job, int front, int will);

#endif
