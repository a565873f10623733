/*
 * payload: what the supervisors start.  It says that it is ready on descriptor
 * 3, where there is one, and waits; with "ignore" SIGTERM does not end it.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "ignore") == 0)
		(void)signal(SIGTERM, SIG_IGN);
	if (write(3, "\n", 1) == 1)
		(void)close(3);
	for (;;)
		(void)pause();
}
