/*
 * For whoever has procs in this process: a host on its own router, a manager.
 */
#ifndef HM_HOST_PROC_H
#define HM_HOST_PROC_H

#include <hostmux/proc.h>

#include "route/router.h"

/* A proc named name behind all addresses the router owns; borrows router.
 * NULL with a sentence. */
struct hm_proc *hm_proc_on_router(
    struct hm_router *router, const char *name, struct hm_error *err);

/* fn is called, once, when hm_proc_stop is (or a failure that nobody handles
 * stops it); at once if that has been: nobody runs this proc. */
void proc_on_halt(
    struct hm_proc *proc, void (*fn)(void *arg, int status), void *arg);

#endif
