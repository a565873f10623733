/*
 * Signals: one handler, which writes one byte into a pipe; the loop that took
 * them reads the bytes and calls out in its turn.  The only mutable global of
 * the library is that pipe: a handler has no other way to know where to write.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "loop/loop_private.h"

#define SIGNALS_MAX 65

static int signal_pipe[2] = {-1, -1};
static struct hm_loop *signal_loop;
static struct sigaction signal_old[SIGNALS_MAX];

static void
on_signal(int sig)
{
	int code = errno;
	unsigned char byte = (unsigned char)sig;

	/* A full pipe holds this signal or enough others to wake for. */
	(void)!write(signal_pipe[1], &byte, 1);
	errno = code;
}

static void
on_bytes(void *arg, int fd, short revents)
{
	struct hm_loop *loop = arg;
	unsigned char bytes[64];
	ssize_t n, i;

	(void)revents;
	n = read(fd, bytes, sizeof bytes);
	for (i = 0; i < n && loop->signal_fn != NULL; i++)
		loop->signal_fn(loop->signal_arg, bytes[i]);
}

static void
close_pipe(void)
{
	int code = errno;

	(void)close(signal_pipe[0]);
	(void)close(signal_pipe[1]);
	signal_pipe[0] = signal_pipe[1] = -1;
	errno = code;
}

int
hm_loop_signals(struct hm_loop *loop, const sigset_t *set,
    void (*fn)(void *arg, int sig), void *arg)
{
	struct sigaction action;
	int sig;

	if (signal_loop != NULL) {
		errno = EBUSY;
		return -1;
	}
	if (sys_pipe(signal_pipe) == -1)
		return -1;
	loop->signal_watch.fn = on_bytes;
	loop->signal_watch.arg = loop;
	if (hm_watch_start(loop, &loop->signal_watch, signal_pipe[0], POLLIN) ==
	    -1) {
		close_pipe();
		return -1;
	}
	signal_loop = loop;
	loop->signal_fn = fn;
	loop->signal_arg = arg;
	loop->signals = *set;
	memset(&action, 0, sizeof action);
	action.sa_handler = on_signal;
	action.sa_flags = SA_RESTART;
	(void)sigfillset(&action.sa_mask);
	for (sig = 1; sig < SIGNALS_MAX; sig++) {
		if (sigismember(set, sig) == 1)
			(void)sigaction(sig, &action, &signal_old[sig]);
	}
	/* Whoever started this may have blocked them, for itself. */
	(void)sigprocmask(SIG_UNBLOCK, set, NULL);
	return 0;
}

void
signals_fini(struct hm_loop *loop)
{
	int sig;

	if (signal_loop != loop)
		return;
	for (sig = 1; sig < SIGNALS_MAX; sig++) {
		if (sigismember(&loop->signals, sig) == 1)
			(void)sigaction(sig, &signal_old[sig], NULL);
	}
	hm_watch_stop(loop, &loop->signal_watch);
	close_pipe();
	signal_loop = NULL;
}
