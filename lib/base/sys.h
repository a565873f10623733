/*
 * What differs between systems, with a portable answer beside each.  The only
 * file (sys.c, and loop/epoll.c) that asks for more than POSIX.1-2008.
 */
#ifndef HM_SYS_H
#define HM_SYS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <hostmux/addr.h>
#include <hostmux/error.h>

/* Milliseconds of the monotonic clock; seconds of the wall clock. */
uint64_t sys_now(void);
/* The same but for some milliseconds, for who asks a million times a second. */
uint64_t sys_now_about(void);
double sys_wall(void);
/* len <= 256 random bytes: 0 or -1. */
int sys_random(void *buf, size_t len);

/* Descriptors born CLOEXEC (and NONBLOCK where it says so). */
int sys_cloexec(int fd);
int sys_nonblock(int fd);
int sys_pipe(int fds[2]); /* CLOEXEC, both ends NONBLOCK */
int sys_accept(int fd);	  /* CLOEXEC, NONBLOCK */
/* Closes all from first on but keep (or -1), async-signal-safe. */
void sys_close_from(int first, int keep);
/* Keeps 0, 1, 2 and keep. */
void sys_close_others(int keep);

/*
 * Listens on addr (any, wildcard and port 0 resolved into *got).  dir is where
 * "unix" chooses a name.  A stale socket at a path is replaced only when
 * replace is set, anything but a socket never.  mode: permissions of a Unix
 * socket.  The descriptor, or -1 with a sentence.
 */
int sys_listen(const struct hm_addr *addr, const char *dir, unsigned mode,
    bool replace, struct hm_addr *got, struct hm_error *err);
/* The file of a Unix socket that was bound here (path NULL: there is none), so
 * that it can be told from another that takes its place. */
struct sys_bound {
	dev_t dev;
	ino_t ino;
};
void sys_bound_note(struct sys_bound *bound, const char *path);
void sys_bound_remove(const struct sys_bound *bound, const char *path);
/* Removes the Unix socket of somebody who has ended: one of our uid that nobody
 * serves.  What else stands there stays. */
void sys_remove_dead(const char *path);
/* Begins to connect: the descriptor (perhaps still connecting: wait for
 * POLLOUT, then sys_connected), or -1 with a sentence. */
int sys_dial(const struct hm_addr *addr, struct hm_error *err);
/* 0 once connected, or the errno value. */
int sys_connected(int fd);
/* NODELAY and keepalive (15 s) for TCP, nothing for Unix. */
void sys_tune(int fd, enum hm_transport transport);
/*
 * What TCP knows of bytes that were written and that the peer's machine has not
 * acknowledged.  1; 0: there are none; -1: this system does not say.
 */
struct sys_pending {
	uint64_t heard;	    /* ms since anything was acknowledged */
	unsigned in_flight; /* segments; 0: the window is closed */
	unsigned probes;    /* of that window, unanswered in a row */
};
int sys_pending(int fd, struct sys_pending *pending);
/* uid and pid of a Unix peer; 0 or -1 (then uid HM_UID_UNKNOWN, pid 0). */
int sys_peer(int fd, uint32_t *uid, uint32_t *pid);
/* The directory of default sockets: $XDG_RUNTIME_DIR/hostmux or
 * /tmp/hostmux-UID, made 0700 (one level) and checked when make is set.  0 or
 * -1 with a sentence. */
int sys_socket_dir(char *buf, size_t size, bool make, struct hm_error *err);

/* Processes. */
bool sys_subreaper(void);      /* become one; false where there is none */
int sys_parent_death(int sig); /* 0; ENOTSUP elsewhere (-1) */
/* The children of pid (all of its threads') into pids; the number there are
 * (may be more than max), or -1 when that cannot be told: ENOTSUP, EMFILE. */
long sys_children(pid_t pid, pid_t *pids, size_t max);
/*
 * Runs fn(arg), which must end in exec or _exit and may do only what a signal
 * handler may, in a child: where the system can (Linux) the child borrows this
 * process's memory until then, so that a spawn costs the same however much
 * there is.  nargs is how many arguments it gives to exec, at most.  Block all
 * signals around it.  The pid, or -1.
 */
pid_t sys_spawn(int (*fn)(void *arg), void *arg, size_t nargs);
/* execvpe: looks file up in PATH as execvp does.  Returns only when it failed.
 */
void sys_exec(const char *file, char *const argv[], char *const env[]);
/* waitpid with WNOHANG, and what the child had used: CPU seconds (-1 where
 * unknown), most memory in bytes (0 where unknown). */
pid_t sys_reap(pid_t pid, int *status, double *cpu, uint64_t *peak);
/* Soft limit of descriptors to the hard one; the old value in *old (for
 * children: sys_files_restore). */
void sys_files_raise(uint64_t *old);
void sys_files_restore(uint64_t old);

/* What malloc gives from so many bytes on goes back to the system when it is
 * freed: glibc would keep it, and fill the holes badly.  Others do so anyway.
 */
void sys_memory_back(size_t size);

/* What poll and its kin take: milliseconds that may not fit an int. */
static inline int
sys_poll_ms(uint64_t ms)
{
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* So many ms after now, however many. */
static inline uint64_t
sys_later(uint64_t now, uint64_t ms)
{
	return ms > UINT64_MAX - now ? UINT64_MAX : now + ms;
}

#endif
