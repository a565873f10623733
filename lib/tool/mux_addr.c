/*
 * Where host-mux listens: always on a Unix socket too.  One that was not given
 * is the default, or with a command a private one in a fresh directory; where
 * no directory can be written, an abstract one.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "tool/mux.h"

static int
lock_path(struct mux *mux, const struct hm_addr *addr, struct hm_error *err)
{
	const char *path = addr->any ? NULL : hm_addr_path(addr);

	if (path == NULL)
		return 0;
	if (lock_take(&mux->locks[mux->nlocks], path, err) == -1)
		return -1;
	mux->nlocks++;
	return 0;
}

/* What the library would take and this program has no use for, is refused. */
static int
settle(struct mux *mux, const char *text, bool *is_unix, struct hm_error *err)
{
	struct hm_addr addr;

	if (hm_addr_parse(&addr, text, HM_ADDR_LISTEN | HM_ADDR_RESOLVE, err) ==
	    -1)
		return -1;
	if (addr.wildcard && mux->as.n == 0)
		return hm_fail_kind(err, HM_ERR_INVALID, EINVAL,
		    "address '%s': needs --as (or --as auto)", addr.text);
	if (addr.transport == HM_TRANSPORT_LOCAL)
		return hm_fail_kind(err, HM_ERR_INVALID, EINVAL,
		    "address '%s': nobody else can dial it", addr.text);
	if (addr.transport == HM_TRANSPORT_UNIX)
		*is_unix = true;
	return lock_path(mux, &addr, err);
}

/* A fresh directory beside the default one. */
static int
make_private(struct mux *mux, char *text, struct hm_error *err)
{
	if (sys_socket_dir(mux->dir, sizeof mux->dir - 8, false, err) == -1)
		return -1;
	(void)strcat(mux->dir, "-XXXXXX");
	if (mkdtemp(mux->dir) == NULL) {
		(void)hm_fail(err, errno, "directory '%s': %s", mux->dir,
		    strerror(errno));
		mux->dir[0] = '\0';
		return -1;
	}
	if (snprintf(text, HM_ADDR_SIZE, "unix:%s/host", mux->dir) >=
	    HM_ADDR_SIZE)
		return hm_fail(err, ENAMETOOLONG,
		    "directory '%s': its name is too long", mux->dir);
	return 0;
}

static int
use_default(char *text, struct hm_error *err)
{
	char dir[HM_ADDR_SIZE - 16];

	if (sys_socket_dir(dir, sizeof dir, true, err) == -1)
		return -1;
	if (access(dir, W_OK) == -1)
		return hm_fail(
		    err, errno, "directory '%s': %s", dir, strerror(errno));
	(void)snprintf(text, HM_ADDR_SIZE, "unix:%s/host", dir);
	return 0;
}

/* No directory can be written: a name that needs none, where there are such.
 * Whatever else is wrong with the directory stays an error. */
static int
use_abstract(const struct mux *mux, char *text, struct hm_error *err)
{
	uint32_t random = 0;

	if (err->code == EPERM || err->code == ENAMETOOLONG)
		return -1;
#ifdef __linux__
	if (sys_random(&random, sizeof random) == -1)
		return hm_fail(
		    err, errno, "no random bytes: %s", strerror(errno));
	if (mux->command != NULL)
		(void)snprintf(text, HM_ADDR_SIZE, "unix:@hostmux-%ld-%08x",
		    (long)getpid(), (unsigned)random);
	else
		(void)snprintf(
		    text, HM_ADDR_SIZE, "unix:@hostmux-%ld", (long)geteuid());
	return 0;
#else
	(void)mux;
	(void)text;
	(void)random;
	return hm_fail(err, err->code, "%s; try -l unix:PATH", err->text);
#endif
}

int
mux_addresses(struct mux *mux, struct hm_error *err)
{
	struct tool_list *listen = &mux->listen;
	bool is_unix = false, unused;
	size_t i;

	for (i = 0; i < listen->n; i++) {
		if (settle(mux, listen->text[i], &is_unix, err) == -1)
			return -1;
	}
	if (mux->backend != NULL &&
	    settle(mux, mux->backend, &unused, err) == -1)
		return -1;
	if (is_unix)
		return 0;
	if ((mux->command != NULL ? make_private(mux, mux->chosen, err)
				  : use_default(mux->chosen, err)) == -1 &&
	    use_abstract(mux, mux->chosen, err) == -1)
		return -1;
	listen->text[listen->n++] = mux->chosen;
	return settle(mux, mux->chosen, &is_unix, err);
}

/* Also the sockets of procs that could not do it themselves. */
static void
remove_private(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	char file[HM_ADDR_SIZE + 257];

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
		(void)unlink(file);
	}
	if (dir != NULL)
		(void)closedir(dir);
	(void)rmdir(path);
}

void
mux_leave(struct mux *mux)
{
	while (mux->nlocks > 0)
		lock_drop(&mux->locks[--mux->nlocks]);
	if (mux->dir[0] != '\0')
		remove_private(mux->dir);
	mux->dir[0] = '\0';
}
