/*
 * The lock of a Unix address: PATH.lock, held for life by the host that
 * listens on PATH, with its pid in it.  Whoever holds it may replace a stale
 * socket.
 */
#ifndef HM_LOCK_H
#define HM_LOCK_H

#include <hostmux/addr.h>
#include <hostmux/error.h>

struct lock {
	int fd; /* -1: not held */
	char path[HM_ADDR_SIZE + 8];
};

/* Takes the lock of the socket at path.  -1 with a sentence: EADDRINUSE and
 * the pid of who holds it, or what the system said. */
int lock_take(struct lock *lock, const char *path, struct hm_error *err);
/* Removes the file and lets go; again is harmless. */
void lock_drop(struct lock *lock);

#endif
