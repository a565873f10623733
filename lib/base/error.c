/*
 * Errors as sentences.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/error.h>

static const char *const kind_names[] = {
    [HM_ERR_OTHER] = "Error",
    [HM_ERR_CHANNEL] = "ChannelError",
    [HM_ERR_EXISTS] = "ProcExists",
    [HM_ERR_SPAWN] = "ProcessSpawnFailure",
    [HM_ERR_CONFIGURE] = "ProcessConfigurationFailure",
    [HM_ERR_AGENT] = "AgentSpawnFailure",
    [HM_ERR_MISSING] = "MissingParameter",
    [HM_ERR_INVALID] = "InvalidParameter",
    [HM_ERR_NOPROC] = "NoProc",
    [HM_ERR_DENIED] = "Denied",
};

#define KINDS (sizeof kind_names / sizeof kind_names[0])

static int
fail(struct hm_error *err, enum hm_error_kind kind, int code, const char *fmt,
    va_list ap)
{
	char text[HM_ERROR_TEXT];

	if (err != NULL) {
		/* An argument may be err's own text. */
		(void)vsnprintf(text, sizeof text, fmt, ap);
		memcpy(err->text, text, sizeof text);
		err->kind = kind;
		err->code = code;
	}
	errno = code;
	return -1;
}

int
hm_fail(struct hm_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fail(err, HM_ERR_OTHER, code, fmt, ap);
	va_end(ap);
	return -1;
}

int
hm_fail_kind(struct hm_error *err, enum hm_error_kind kind, int code,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fail(err, kind, code, fmt, ap);
	va_end(ap);
	return -1;
}

const char *
hm_error_kind_name(enum hm_error_kind kind)
{
	return (size_t)kind < KINDS ? kind_names[kind] : kind_names[0];
}

enum hm_error_kind
hm_error_kind_of(const char *name)
{
	size_t i;

	for (i = 0; i < KINDS; i++) {
		if (strcmp(kind_names[i], name) == 0)
			return (enum hm_error_kind)i;
	}
	return HM_ERR_OTHER;
}

static int
exit_status(const struct hm_error *err)
{
	switch (err->kind) {
	case HM_ERR_MISSING:
	case HM_ERR_INVALID:
		return 2;
	case HM_ERR_CHANNEL:
		return 111;
	case HM_ERR_OTHER:
		break;
	default:
		return err->code == ETIMEDOUT ? 124 : 1;
	}
	switch (err->code) {
	case EINVAL:
	case ENAMETOOLONG:
		return 2;
	case ETIMEDOUT:
		return 124;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOSPC:
	case EIO:
	case EACCES:
		return 111;
	default:
		return 1;
	}
}

int
hm_error_exit(const struct hm_error *err, const char *program)
{
	char line[HM_ERROR_TEXT + 128];
	int n =
	    snprintf(line, sizeof line, "%s: error: %s\n", program, err->text);
	size_t len = n < 0 ? 0 : (size_t)n;

	if (len >= sizeof line)
		len = sizeof line - 1;
	/* There is nobody left to tell that stderr is gone. */
	(void)!write(STDERR_FILENO, line, len);
	return exit_status(err);
}
