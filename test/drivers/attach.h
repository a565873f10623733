/*
 * A client of a host.
 */
#ifndef ATTACH_H
#define ATTACH_H

#include <stdio.h>

#include <hostmux/proc.h>

#include "check.h"

static inline struct hm_proc *
attach(struct hm_loop *loop, const char *host, const char *name)
{
	struct hm_attach how = {0};
	struct hm_error err;
	struct hm_proc *proc;

	how.host = host;
	how.name = name;
	proc = hm_proc_attach(loop, &how, &err);
	if (proc == NULL)
		fprintf(stderr, "%s\n", err.text);
	CHECK(proc != NULL);
	return proc;
}

#endif
