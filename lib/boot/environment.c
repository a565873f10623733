/*
 * See environment.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/environment.h"

extern char **environ;

static bool
is_left_out(const char *variable, const char *const *without)
{
	while (*without != NULL &&
	       strncmp(variable, *without, strlen(*without)) != 0)
		without++;
	return *without != NULL;
}

int
environment_init(
    struct environment *env, const char *const *without, size_t more)
{
	size_t i, n = 0;

	while (environ[n] != NULL)
		n++;
	memset(env, 0, sizeof *env);
	env->list = calloc(n + more + 1, sizeof *env->list);
	if (env->list == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		if (!is_left_out(environ[i], without))
			env->list[env->n++] = environ[i];
	}
	env->borrowed = env->n;
	return 0;
}

void
environment_fini(struct environment *env)
{
	int code = errno;

	while (env->n > env->borrowed)
		free(env->list[--env->n]);
	free(env->list);
	env->list = NULL;
	errno = code;
}

void
environment_put(
    struct environment *env, const char *name, const char *value, size_t len)
{
	size_t size = strlen(name) + len + 2;
	char *text = malloc(size);

	if (text == NULL) {
		env->failed = true;
		return;
	}
	(void)snprintf(text, size, "%s=%.*s", name, (int)len, value);
	env->list[env->n++] = text;
}
