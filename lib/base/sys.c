/*
 * What differs between systems: descriptors, clocks and processes.  Sockets
 * are in sys_socket.c.  Where Linux can do more than POSIX says, the other
 * branch gives the same answer more slowly, or ENOTSUP where there is none; who
 * calls has to live with that.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#ifdef __linux__
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#endif
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#ifdef __linux__
#include <sched.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"

uint64_t
sys_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t
sys_now_about(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC_COARSE, &t) == 0)
		return (uint64_t)t.tv_sec * 1000 +
		       (uint64_t)t.tv_nsec / 1000000;
#endif
	return sys_now();
}

double
sys_wall(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Up to 256 bytes come in one piece from either. */
int
sys_random(void *buf, size_t len)
{
	ssize_t n;
#ifdef __linux__
	/* Needs neither a descriptor nor a /dev. */
	do
		n = getrandom(buf, len, 0);
	while (n == -1 && errno == EINTR);
#else
	int code, fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	do
		n = read(fd, buf, len);
	while (n == -1 && errno == EINTR);
	code = errno;
	(void)close(fd);
	errno = code;
#endif
	if (n == (ssize_t)len)
		return 0;
	if (n != -1)
		errno = EIO;
	return -1;
}

int
sys_cloexec(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags == -1 ? -1 : fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
}

int
sys_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags == -1 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int
sys_pipe(int fds[2])
{
#ifdef __linux__
	return pipe2(fds, O_CLOEXEC | O_NONBLOCK);
#else
	int i, code;

	if (pipe(fds) == -1)
		return -1;
	for (i = 0; i < 2; i++) {
		if (sys_cloexec(fds[i]) == -1 || sys_nonblock(fds[i]) == -1) {
			code = errno;
			(void)close(fds[0]);
			(void)close(fds[1]);
			errno = code;
			return -1;
		}
	}
	return 0;
#endif
}

void
sys_close_from(int first, int keep)
{
	long fd, most;

#if defined(__linux__) && defined(SYS_close_range)
	if (keep < first) {
		if (syscall(SYS_close_range, (unsigned)first, ~0u, 0u) == 0)
			return;
	} else if ((keep == first || syscall(SYS_close_range, (unsigned)first,
					 (unsigned)keep - 1, 0u) == 0) &&
		   syscall(SYS_close_range, (unsigned)keep + 1, ~0u, 0u) == 0) {
		return;
	}
#endif
	most = sysconf(_SC_OPEN_MAX);
	if (most < 0 || most > 65536)
		most = 65536;
	for (fd = first; fd < most; fd++) {
		if (fd != keep)
			(void)close((int)fd);
	}
}

void
sys_close_others(int keep)
{
	sys_close_from(STDERR_FILENO + 1, keep);
}

bool
sys_subreaper(void)
{
#ifdef __linux__
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
#else
	return false;
#endif
}

int
sys_parent_death(int sig)
{
#ifdef __linux__
	return prctl(PR_SET_PDEATHSIG, sig, 0, 0, 0);
#else
	(void)sig;
	errno = ENOTSUP;
	return -1;
#endif
}

#ifdef __linux__
/* The numbers in one children file; n counts on from what there is.  -1: it
 * cannot be told, which is not the same as none. */
static long
read_children(const char *path, pid_t *pids, size_t max, long n)
{
	FILE *file = fopen(path, "re");
	int pid;

	if (file == NULL)
		return errno == ENOENT || errno == ESRCH ? n : -1;
	while (fscanf(file, "%d", &pid) == 1) {
		if ((size_t)n < max)
			pids[n] = pid;
		n++;
	}
	(void)fclose(file);
	return n;
}
#endif

long
sys_children(pid_t pid, pid_t *pids, size_t max)
{
#ifdef __linux__
	char path[64 + NAME_MAX];
	struct dirent *task;
	DIR *dir;
	long n = 0;
	int code;

	(void)snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
	dir = opendir(path);
	if (dir == NULL && errno == ENOENT) {
		if (kill(pid, 0) == -1 && errno == ESRCH)
			return 0;
		errno = ENOTSUP; /* it lives: there is no /proc */
	}
	if (dir == NULL)
		return -1;
	while (n != -1 && (task = readdir(dir)) != NULL) {
		if (task->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof path, "/proc/%ld/task/%s/children",
		    (long)pid, task->d_name);
		n = read_children(path, pids, max, n);
	}
	code = errno;
	(void)closedir(dir);
	errno = code;
	return n;
#else
	(void)pid;
	(void)pids;
	(void)max;
	errno = ENOTSUP;
	return -1;
#endif
}

/* The address sanitizer does not understand a stack that is left by exec. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
#define SPAWN_BORROWS
/* execvpe copies every entry of PATH onto its stack, and of a script without
 * "#!" the arguments; below it is nothing. */
#define SPAWN_STACK ((size_t)512 * 1024)
#define SPAWN_GUARD ((size_t)64 * 1024)
#endif

pid_t
sys_spawn(int (*fn)(void *arg), void *arg, size_t nargs)
{
	pid_t pid;
#ifdef SPAWN_BORROWS
	/* The few that no whole page is added for are in SPAWN_STACK. */
	size_t size =
	    SPAWN_GUARD + SPAWN_STACK + nargs / 512 * 512 * sizeof(char *);
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int code;

	if (stack == MAP_FAILED)
		return -1;
	pid = mprotect(stack, SPAWN_GUARD, PROT_NONE);
	if (pid == 0)
		pid = clone(
		    fn, stack + size, CLONE_VM | CLONE_VFORK | SIGCHLD, arg);
	code = errno;
	(void)munmap(stack, size);
	errno = code;
#else
	(void)nargs;
	pid = fork();
	if (pid == 0)
		_exit(fn(arg));
#endif
	return pid;
}

#ifndef __linux__
extern char **environ;
#endif

void
sys_exec(const char *file, char *const argv[], char *const env[])
{
#ifdef __linux__
	(void)execvpe(file, argv, env);
#else
	environ = (char **)env;
	(void)execvp(file, argv);
#endif
}

pid_t
sys_reap(pid_t pid, int *status, double *cpu, uint64_t *peak)
{
#ifdef __linux__
	struct rusage used;
#endif
	pid_t got;

	*cpu = -1;
	*peak = 0;
	do
#ifdef __linux__
		got = wait4(pid, status, WNOHANG, &used);
#else
		got = waitpid(pid, status, WNOHANG);
#endif
	while (got == -1 && errno == EINTR);
#ifdef __linux__
	if (got > 0) {
		*peak = (uint64_t)used.ru_maxrss * 1024;
		*cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) /
			   1e6;
	}
#endif
	return got;
}

void
sys_files_raise(uint64_t *old)
{
	struct rlimit limit;

	*old = 0;
	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	*old = limit.rlim_cur;
	limit.rlim_cur = limit.rlim_max;
	/* Refused (macOS caps below the hard limit): as before, then. */
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

void
sys_files_restore(uint64_t old)
{
	struct rlimit limit;

	if (old == 0 || getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	limit.rlim_cur = (rlim_t)old;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

void
sys_memory_back(size_t size)
{
#ifdef __GLIBC__
	(void)mallopt(M_MMAP_THRESHOLD, (int)size);
#else
	(void)size;
#endif
}

void
sys_bound_note(struct sys_bound *bound, const char *path)
{
	struct stat st;

	memset(bound, 0, sizeof *bound);
	if (path != NULL && lstat(path, &st) == 0) {
		bound->dev = st.st_dev;
		bound->ino = st.st_ino;
	}
}

void
sys_bound_remove(const struct sys_bound *bound, const char *path)
{
	struct stat st;

	if (path != NULL && lstat(path, &st) == 0 && st.st_dev == bound->dev &&
	    st.st_ino == bound->ino)
		(void)unlink(path);
}

void
sys_remove_dead(const char *path)
{
	struct hm_addr addr;
	struct hm_error err;
	struct stat st;
	int fd;

	memset(&addr, 0, sizeof addr);
	addr.transport = HM_TRANSPORT_UNIX;
	(void)snprintf(addr.text, sizeof addr.text, "unix:%s", path);
	if (strcmp(addr.text + 5, path) != 0 || lstat(path, &st) == -1 ||
	    !S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return;
	fd = sys_dial(&addr, &err);
	if (fd != -1)
		(void)close(fd);
	else if (err.code == ECONNREFUSED)
		(void)unlink(path);
}
