/*
 * Job control, between a shell above and CMD below.
 *
 * In the foreground CMD's group has the terminal.  Stopped by it, CMD is a
 * stopped child of this process, of which the shell knows nothing; so the
 * terminal goes back to this job and the whole job stops.  "fg" and "bg" send
 * SIGCONT, which is passed on, with the terminal if this job has it by then.
 * Where no shell is above (an orphaned group, PID 1) the system does not let
 * SIGTSTP stop anything, and CMD goes on at once: nobody could continue it.
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "boot/terminal.h"

void
terminal_continue(struct terminal *terminal)
{
	if (terminal->group == 0)
		return;
	if (tcgetpgrp(STDIN_FILENO) == getpgrp())
		terminal->given = tcsetpgrp(STDIN_FILENO, terminal->group) == 0;
	/* It may have tried to read before it was its turn. */
	if (terminal->given)
		(void)kill(-terminal->group, SIGCONT);
}

void
terminal_begin(struct terminal *terminal, pid_t group)
{
	if (tcgetpgrp(STDIN_FILENO) == -1)
		return;
	(void)signal(SIGTTOU, SIG_IGN); /* of taking it back */
	terminal->group = group;
	terminal_continue(terminal);
}

static void
take_back(struct terminal *terminal)
{
	if (terminal->given)
		(void)tcsetpgrp(STDIN_FILENO, getpgrp());
	terminal->given = false;
}

/* SIGTSTP is passed on to CMD otherwise. */
static void
stop_job(void)
{
	struct sigaction stops, passes;

	memset(&stops, 0, sizeof stops);
	stops.sa_handler = SIG_DFL;
	if (sigaction(SIGTSTP, &stops, &passes) == -1)
		return;
	(void)kill(0, SIGTSTP);
	(void)sigaction(SIGTSTP, &passes, NULL);
}

void
terminal_watch(struct terminal *terminal)
{
	siginfo_t info;
	int done;

	if (terminal->group == 0)
		return;
	info.si_pid = 0;
	do
		done = waitid(
		    P_PID, (id_t)terminal->group, &info, WSTOPPED | WNOHANG);
	while (done == -1 && errno == EINTR);
	if (done == -1 || info.si_pid == 0)
		return;
	take_back(terminal);
	stop_job();
	terminal_continue(terminal);
}

void
terminal_end(struct terminal *terminal)
{
	take_back(terminal);
	terminal->group = 0;
}
