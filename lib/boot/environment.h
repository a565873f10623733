/*
 * An environment for a command: this process's, less what was not meant for the
 * command, and more.
 */
#ifndef HM_ENVIRONMENT_H
#define HM_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

struct environment {
	char **list; /* NULL-ended; those from borrowed on are its own */
	size_t n, borrowed;
	bool failed; /* there was no memory for a variable */
};

/* without: how variables begin that are left out ("NAME="), NULL-ended; more:
 * how many are to be put.  -1 ENOMEM. */
int environment_init(
    struct environment *env, const char *const *without, size_t more);
void environment_fini(struct environment *env);
void environment_put(
    struct environment *env, const char *name, const char *value, size_t len);

#endif
