/*
 * The lock is fcntl's: it ends with the process whatever happens to it, and
 * says who holds it.  It is not inherited, so it is taken after daemonising.
 *
 * The file is removed at the end, and so it may be another's by the time it is
 * locked: only a lock on what stands at the path counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/lock.h"

static int
refused(int fd, const char *path, struct hm_error *err)
{
	struct flock held = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int code = errno;

	if (code != EACCES && code != EAGAIN)
		return hm_fail(
		    err, code, "lock '%s.lock': %s", path, strerror(code));
	if (fcntl(fd, F_GETLK, &held) == 0 && held.l_type != F_UNLCK &&
	    held.l_pid > 0)
		return hm_fail(err, EADDRINUSE,
		    "address 'unix:%s': a host with pid %ld lives there", path,
		    (long)held.l_pid);
	return hm_fail(err, EADDRINUSE,
	    "address 'unix:%s': another host lives there", path);
}

static bool
stands_at(int fd, const char *path)
{
	struct stat mine, there;

	return fstat(fd, &mine) == 0 && stat(path, &there) == 0 &&
	       mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

int
lock_take(struct lock *lock, const char *path, struct hm_error *err)
{
	struct flock want = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char pid[24];
	int n, tries;

	(void)snprintf(lock->path, sizeof lock->path, "%s.lock", path);
	for (tries = 0; tries < 8; tries++) {
		lock->fd = open(lock->path,
		    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (lock->fd == -1)
			return hm_fail(err, errno, "lock '%s': %s", lock->path,
			    strerror(errno));
		if (fcntl(lock->fd, F_SETLK, &want) == -1) {
			(void)refused(lock->fd, path, err);
			(void)close(lock->fd);
			lock->fd = -1;
			return -1;
		}
		if (stands_at(lock->fd, lock->path)) {
			n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
			/* For people: the lock itself knows better. */
			if (ftruncate(lock->fd, 0) == 0)
				(void)!write(lock->fd, pid, (size_t)n);
			return 0;
		}
		(void)close(lock->fd);
		lock->fd = -1;
	}
	return hm_fail(err, EAGAIN, "lock '%s': it does not stay", lock->path);
}

void
lock_drop(struct lock *lock)
{
	if (lock->fd == -1)
		return;
	/* Another may stand there by now, whose host has ended with its folder.
	 */
	if (stands_at(lock->fd, lock->path))
		(void)unlink(lock->path);
	(void)close(lock->fd);
	lock->fd = -1;
}
