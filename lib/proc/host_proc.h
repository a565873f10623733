/*
 * For the host: procs that live on its own router.
 */
#ifndef HM_HOST_PROC_H
#define HM_HOST_PROC_H

#include <hostmux/proc.h>

#include "route/router.h"

/* A proc named name behind all addresses the router owns; borrows router.
 * NULL with a sentence. */
struct hm_proc *hm_proc_on_router(
    struct hm_router *router, const char *name, struct hm_error *err);

#endif
