/*
 * Sockets that procs and supervisors left when everything was killed at once:
 * nobody is there to remove them, so the next host in that directory does.
 *
 * Other hosts may live there too, so only what is ours, has a name that only
 * procs and supervisors have, refuses connections, and is not just being made
 * (bound a moment ago, not listened on yet) is removed.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/sys.h"
#include "host/host_private.h"

/* From bind to listen is microseconds; a second is long. */
#define YOUNG_S 1

/* "p-" or "s-" and eight hex digits. */
static bool
is_private(const char *name)
{
	return (name[0] == 'p' || name[0] == 's') && name[1] == '-' &&
	       strlen(name) == 10 && strspn(name + 2, "0123456789abcdef") == 8;
}

void
host_remove_leftovers(const char *dir)
{
	char text[HM_ADDR_SIZE];
	struct dirent *entry;
	struct stat st;
	DIR *list = opendir(dir);
	int n;

	if (list == NULL)
		return; /* what cannot be read is not cleaned */
	while ((entry = readdir(list)) != NULL) {
		if (!is_private(entry->d_name))
			continue;
		n = snprintf(
		    text, sizeof text, "%.90s/%.10s", dir, entry->d_name);
		if (n > 0 && (size_t)n < sizeof text && lstat(text, &st) == 0 &&
		    time(NULL) - st.st_mtime > YOUNG_S)
			sys_remove_dead(text);
	}
	(void)closedir(list);
}
