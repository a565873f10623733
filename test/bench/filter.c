/*
 * filter: prints each line it reads, in capitals, and flushes when there is
 * nothing to read: what a good filter does.
 */
#include <ctype.h>
#include <unistd.h>

int
main(void)
{
	static char buf[64 * 1024];
	ssize_t i, n, done;

	while ((n = read(STDIN_FILENO, buf, sizeof buf)) > 0) {
		for (i = 0; i < n; i++)
			buf[i] = (char)toupper((unsigned char)buf[i]);
		for (i = 0; i < n; i += done) {
			done = write(STDOUT_FILENO, buf + i, (size_t)(n - i));
			if (done == -1)
				return 1;
		}
	}
	return 0;
}
