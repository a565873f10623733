/*
 * Commands: found, and started.
 */
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "boot/init.h"

#define STATUS_FAILED 125
#define STATUS_NOEXEC 126
#define STATUS_NOTFOUND 127

static int
fail(const char *what, int *status, struct hm_error *err)
{
	*status = errno == ENOENT ? STATUS_NOTFOUND : STATUS_NOEXEC;
	if (strcmp(what, "fork") == 0)
		*status = STATUS_FAILED;
	return hm_fail_kind(
	    err, HM_ERR_SPAWN, errno, "%.200s: %s", what, strerror(errno));
}

int
child_start(struct child *child, struct init *init, struct spawn *spawn,
    int *status, struct hm_error *err)
{
	const char *what;

	spawn->inherit = &init->inherit;
	spawn->orphans = true;
	child->pid = spawn_child(spawn, &what);
	if (child->pid == -1) {
		child->pid = 0;
		return fail(what, status, err);
	}
	child->init = init;
	child->next = init->children;
	init->children = child;
	return 0;
}

/* 0, or -1 with errno. */
static int
check(const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return -1;
	if (S_ISREG(st.st_mode))
		return access(path, X_OK);
	errno = EACCES;
	return -1;
}

int
child_find(const char *file, int *status, struct hm_error *err)
{
	const char *path = getenv("PATH"), *end;
	char full[PATH_MAX];
	int n, code = ENOENT;

	if (strchr(file, '/') != NULL)
		return check(file) == 0 ? 0 : fail(file, status, err);
	if (path == NULL)
		path = "/bin:/usr/bin";
	for (;; path = end + 1) {
		end = path + strcspn(path, ":");
		n = snprintf(full, sizeof full, "%.*s%s%s", (int)(end - path),
		    path, end == path ? "" : "/", file);
		if (n > 0 && (size_t)n < sizeof full && file[0] != '\0') {
			if (check(full) == 0)
				return 0;
			if (errno == EACCES)
				code = EACCES;
		}
		if (*end == '\0')
			break;
	}
	errno = code;
	return fail(file, status, err);
}
