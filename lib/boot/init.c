/*
 * The duties of an init.
 *
 * All statuses come in through one place, which looks before it reaps: a
 * leader that has ended and is not reaped yet still owns the number of its
 * group, so that is when the group can be signalled without hitting anybody
 * else.  Whoever loses its parent below this process becomes its child, where
 * the system knows subreapers or this is PID 1.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "boot/init.h"

/* 0 to 2 are the caller's; 3 and 4 are a command's with --frames, and nothing
 * of this process may be there. */
#define FIRST_FREE 5
/* What SIGKILL has hit is gone soon, or is not to be waited for. */
#define AFTER_KILL_MS 500

int
init_prepare(struct init *init)
{
	struct sigaction action;
	int fd;

	memset(init, 0, sizeof *init);
	sys_close_others(-1);
	do {
		fd = open("/dev/null", O_RDWR);
		if (fd == -1 || (fd > STDERR_FILENO && sys_cloexec(fd) == -1))
			return -1;
	} while (fd < FIRST_FREE - 1);
	inheritance_get(&init->inherit);
	sys_files_raise(&init->inherit.files);
	memset(&action, 0, sizeof action);
	action.sa_handler = SIG_IGN; /* writes say EPIPE */
	return sigaction(SIGPIPE, &action, NULL);
}

/* Faults are this process's own. */
static void
passable_signals(sigset_t *set)
{
	static const int own[] = {SIGKILL, SIGSTOP, SIGABRT, SIGBUS, SIGFPE,
	    SIGILL, SIGSEGV, SIGSYS, SIGTRAP, SIGPIPE, SIGTTIN, SIGTTOU};
	size_t i;

	(void)sigfillset(set);
	for (i = 0; i < sizeof own / sizeof *own; i++)
		(void)sigdelset(set, own[i]);
}

static struct child **
find(struct init *init, pid_t pid)
{
	struct child **p = &init->children;

	while (*p != NULL && (*p)->pid != pid)
		p = &(*p)->next;
	return p;
}

static bool
is_own(void *arg, pid_t pid)
{
	return *find(arg, pid) != NULL;
}

static void
sweep(void *arg)
{
	struct init *init = arg;
	uint64_t now = hm_loop_now(init->loop), due;
	bool hard = init->hard || (init->kill_at != 0 && now >= init->kill_at);
	uint64_t end =
	    hard || init->kill_at == 0 ? init->sweep_end : init->kill_at;
	long left = tree_sweep(&init->tree, is_own, init, now, hard, &due);

	if (left != 0 && now < init->sweep_end) { /* -1: not seen, not gone */
		if (due == 0 || due > end)
			due = end;
		if (hm_timer_start(init->loop, &init->timer,
			due > now ? due - now : 0) == 0)
			return;
	}
	if (left > 0)
		hm_log(init->loop, HM_LOG_ERROR, "%ld processes did not end",
		    left);
	init->sweeping = false;
	init->swept(init->arg);
}

static void
take_end(struct init *init, pid_t pid)
{
	struct child **p = find(init, pid), *child = *p;
	int status = 0;

	if (child != NULL && (!init->lasting || init->tree.sight == TREE_BLIND))
		tree_orphan(&init->tree, pid, init->hard);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	if (child == NULL)
		return;
	*p = child->next;
	child->pid = 0;
	child->ended(child->arg, status);
}

void
init_reap(struct init *init)
{
	siginfo_t info;

	terminal_watch(&init->terminal);
	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) ==
		    -1) {
			if (errno == EINTR)
				continue;
			break;
		}
		if (info.si_pid == 0)
			break;
		take_end(init, info.si_pid);
	}
	if (init->sweeping)
		sweep(init);
}

static void
on_signal(void *arg, int sig)
{
	struct init *init = arg;

	if (sig == SIGCONT)
		terminal_continue(&init->terminal);
	if (sig == SIGCHLD)
		init_reap(init);
	else
		init->signalled(init->arg, sig);
}

int
init_begin(struct init *init, struct hm_loop *loop, const sigset_t *signals)
{
	sigset_t set;

	init->loop = loop;
	init->timer.fn = sweep;
	init->timer.arg = init;
	if (!sys_subreaper() && getpid() != 1)
		init->tree.sight = TREE_BLIND;
	else if (init->lasting)
		init->tree.sight = TREE_SEES;
	passable_signals(&set);
	return hm_loop_signals(
	    loop, signals == NULL ? &set : signals, on_signal, init);
}

void
init_fini(struct init *init)
{
	if (init->loop != NULL)
		hm_timer_stop(init->loop, &init->timer);
	tree_fini(&init->tree);
}

void
init_signal(const struct init *init, int sig)
{
	const struct child *child;

	for (child = init->children; child != NULL; child = child->next)
		signal_group(child->pid, sig);
}

void
init_sweep(struct init *init, bool hard)
{
	init->hard = init->hard || hard;
	if (!init->sweeping) {
		init->sweep_end = hm_loop_now(init->loop) + TREE_MAX_MS;
		init->tree.patience = hm_loop_now(init->loop) + TREE_GRACE_MS;
	}
	init->sweeping = true;
	sweep(init);
}

void
init_sweep_by(struct init *init, uint64_t deadline)
{
	init->kill_at = deadline;
	init->sweep_end = deadline + AFTER_KILL_MS;
	init->sweeping = true;
	sweep(init);
}
