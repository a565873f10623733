/*
 * The end of all actors of a proc as something that is begun, and tells when
 * it is over.
 */
#ifndef HM_DESTROY_H
#define HM_DESTROY_H

#include <hostmux/actor.h>

struct destroy;

/*
 * Begins what hm_proc_destroy does; done is called once, from the loop, and
 * owns the lists.  NULL (ENOMEM): nothing was done.  reason is borrowed until
 * then.
 */
struct destroy *destroy_begin(struct hm_proc *proc, uint64_t timeout,
    const char *reason, void (*done)(void *arg, struct hm_destroyed *lists),
    void *arg);
/* It has so many ms left, or less. */
void destroy_hurry(struct destroy *destroy, uint64_t timeout);
/* Not told any more; NULL is harmless. */
void destroy_free(struct destroy *destroy);
/* Does a callback run in proc, or somebody wait for a message there?  Then it
 * must not be freed. */
bool proc_in_use(const struct hm_proc *proc);

#endif
