/*
 * See ready.h.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/ready.h"

static void
notify(const char *path)
{
	struct sockaddr_un to;
	size_t len = strlen(path);
	int fd;

	memset(&to, 0, sizeof to);
	to.sun_family = AF_UNIX;
	if (len == 0 || len >= sizeof to.sun_path ||
	    (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd == -1)
		return;
	/* Whoever does not listen does not wait. */
	(void)sendto(fd, "READY=1", 7, 0, (const struct sockaddr *)&to,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	(void)close(fd);
}

void
ready_tell(int fd)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (fd != -1) {
		(void)!write(fd, "\n", 1);
		(void)close(fd);
	}
	if (path != NULL)
		notify(path);
}
