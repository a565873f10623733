/*
 * What reaches a loop from outside its turns: hm_loop_wake out of handlers, and
 * the signals it took, which it gives back as they were.
 */
#include <signal.h>
#include <sys/wait.h>

#include "turn.h"

static volatile sig_atomic_t handled;

static void
wake_in_handler(int sig)
{
	(void)sig;
	handled++;
	hm_loop_wake(loop);
}

static void
only_handle(int sig)
{
	(void)sig;
	handled++;
}

static void
handle(int sig, void (*fn)(int), int flags)
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_handler = fn;
	action.sa_flags = flags;
	CHECK(sigaction(sig, &action, NULL) == 0);
}

/* A child that sends sig to us every few milliseconds. */
static pid_t
pester(int sig)
{
	pid_t parent = getpid(), child = fork();

	CHECK(child != -1);
	while (child == 0) {
		pause_ms(5);
		if (getppid() != parent || kill(parent, sig) == -1)
			_exit(0);
	}
	return child;
}

static void
pester_end(pid_t child)
{
	CHECK(kill(child, SIGKILL) == 0);
	while (waitpid(child, NULL, 0) == -1)
		CHECK(errno == EINTR);
}

static void
wake(void)
{
	pid_t child;
	int i;

	hm_loop_wake(loop);
	turn(-1);
	for (i = 0; i < 100000; i++) { /* more than a pipe holds */
		errno = 77;
		hm_loop_wake(loop);
		CHECK(errno == 77);
	}
	turn(-1);
	handled = 0;
	handle(SIGUSR1, wake_in_handler, SA_RESTART);
	child = pester(SIGUSR1);
	turn(-1);
	CHECK(handled > 0);
	pester_end(child);
	turn(0); /* what woke it since */
	/* Interrupted waiting is an empty turn. */
	handled = 0;
	handle(SIGUSR1, only_handle, 0);
	child = pester(SIGUSR1);
	turn(-1);
	CHECK(handled > 0);
	pester_end(child);
	handle(SIGUSR1, SIG_DFL, 0);
}

static int signals[8], nsignals;

static void
on_signal(void *arg, int sig)
{
	CHECK(arg == signals && nsignals < 8);
	signals[nsignals++] = sig;
}

static void
signals_taken(const char *backend)
{
	struct hm_loop *other = hm_loop_new(backend, NULL);
	struct sigaction now;
	sigset_t set;

	CHECK(other != NULL);
	handle(SIGUSR1, only_handle, 0);
	handle(SIGUSR2, SIG_IGN, 0);
	handle(SIGHUP, SIG_IGN, 0);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGUSR2);
	nsignals = 0;
	CHECK(hm_loop_signals(loop, &set, on_signal, signals) == 0);
	CHECK(hm_loop_signals(other, &set, on_signal, signals) == -1);
	CHECK(errno == EBUSY);
	hm_loop_free(other);
	CHECK(sigaction(SIGUSR1, NULL, &now) == 0);
	CHECK((now.sa_flags & SA_RESTART) != 0);
	handled = 0;
	errno = 77;
	CHECK(raise(SIGUSR2) == 0 && raise(SIGUSR1) == 0);
	CHECK(raise(SIGUSR2) == 0 && raise(SIGHUP) == 0);
	CHECK(errno == 77 && nsignals == 0);
	turn(-1);
	CHECK(nsignals == 3 && handled == 0);
	CHECK(signals[0] == SIGUSR2 && signals[1] == SIGUSR1);
	CHECK(signals[2] == SIGUSR2);
}

/* After hm_loop_free of the loop that had taken them. */
static void
signals_given_back(void)
{
	struct sigaction now;

	CHECK(sigaction(SIGUSR1, NULL, &now) == 0);
	CHECK(now.sa_handler == only_handle);
	CHECK((now.sa_flags & SA_RESTART) == 0);
	CHECK(sigaction(SIGUSR2, NULL, &now) == 0);
	CHECK(now.sa_handler == SIG_IGN);
	handle(SIGUSR1, SIG_DFL, 0);
	handle(SIGUSR2, SIG_DFL, 0);
	handle(SIGHUP, SIG_DFL, 0);
}

static void
all(const char *backend)
{
	wake();
	signals_taken(backend);
	hm_loop_free(loop);
	signals_given_back();
	loop = hm_loop_new(backend, NULL);
	CHECK(loop != NULL);
}

int
main(void)
{
	each_way(all);
	return 0;
}
