/*
 * orphans N FILE: N processes lose their parent and end, 250 of them in the
 * same instant; then FILE is made, and this waits to be ended.  It stands
 * alone, so that a test can link it statically, for a container from scratch.
 */
#include <sys/wait.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define BURST 250

/* Each waits for the end of the pipe. */
static void
leave_some(int n, const int fds[2])
{
	char byte;
	int i;

	(void)close(fds[1]);
	for (i = 0; i < n; i++) {
		if (fork() == 0)
			_exit(read(fds[0], &byte, 1) == 0 ? 0 : 1);
	}
	_exit(0);
}

static int
burst(int n)
{
	int fds[2];
	pid_t pid;

	if (pipe(fds) == -1)
		return -1;
	pid = fork();
	if (pid == 0)
		leave_some(n, fds);
	(void)close(fds[0]);
	if (pid == -1 || waitpid(pid, NULL, 0) != pid)
		return -1;
	return close(fds[1]);
}

int
main(int argc, char *argv[])
{
	int left;

	if (argc != 3)
		return 2;
	for (left = atoi(argv[1]); left > 0; left -= BURST) {
		if (burst(left < BURST ? left : BURST) == -1)
			return 1;
	}
	if (close(open(argv[2], O_CREAT | O_WRONLY, 0600)) == -1)
		return 1;
	for (;;)
		(void)pause();
}
