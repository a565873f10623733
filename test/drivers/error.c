/*
 * Errors: kinds and their names, sentences, and the exit status of each.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/error.h>

#include "check.h"

static void
test_kinds(void)
{
	static const char *const names[] = {"Error", "ChannelError",
	    "ProcExists", "ProcessSpawnFailure", "ProcessConfigurationFailure",
	    "AgentSpawnFailure", "MissingParameter", "InvalidParameter",
	    "NoProc", "Denied"};
	int kind;

	for (kind = HM_ERR_OTHER; kind <= HM_ERR_DENIED; kind++) {
		CHECK(strcmp(hm_error_kind_name((enum hm_error_kind)kind),
			  names[kind]) == 0);
		CHECK((int)hm_error_kind_of(names[kind]) == kind);
	}
	CHECK(kind == sizeof names / sizeof *names);
	CHECK(hm_error_kind_of("procexists") == HM_ERR_OTHER);
	CHECK(hm_error_kind_of("") == HM_ERR_OTHER);
}

static void
test_sentences(void)
{
	static char large[2 * HM_ERROR_TEXT];
	struct hm_error err;

	errno = 0;
	CHECK(hm_fail(&err, ENOENT, "no '%s' in %d", "x", 7) == -1);
	CHECK(errno == ENOENT && err.code == ENOENT);
	CHECK(err.kind == HM_ERR_OTHER);
	CHECK(strcmp(err.text, "no 'x' in 7") == 0);
	CHECK(hm_fail_kind(
		  &err, HM_ERR_EXISTS, EEXIST, "again: %s", err.text) == -1);
	CHECK(errno == EEXIST && err.code == EEXIST);
	CHECK(err.kind == HM_ERR_EXISTS);
	CHECK(strcmp(err.text, "again: no 'x' in 7") == 0);
	/* Who does not want the sentence has errno. */
	CHECK(hm_fail_kind(NULL, HM_ERR_AGENT, EPERM, "%s", "x") == -1);
	CHECK(errno == EPERM);
	CHECK(hm_fail(NULL, EIO, "%s", "x") == -1 && errno == EIO);
	memset(large, 'v', sizeof large - 1);
	CHECK(hm_fail(&err, EINVAL, "%s", large) == -1);
	CHECK(strlen(err.text) == HM_ERROR_TEXT - 1);
}

/* What hm_error_exit says on stderr, and returns. */
static int
status_of(enum hm_error_kind kind, int code, const char *want)
{
	struct hm_error err;
	char text[HM_ERROR_TEXT + 256];
	int out[2], saved = dup(STDERR_FILENO), status;
	ssize_t n;

	CHECK(saved != -1 && pipe(out) == 0);
	CHECK(dup2(out[1], STDERR_FILENO) == STDERR_FILENO);
	(void)hm_fail_kind(&err, kind, code, "it is so");
	status = hm_error_exit(&err, "prog");
	CHECK(dup2(saved, STDERR_FILENO) == STDERR_FILENO);
	(void)close(saved);
	(void)close(out[1]);
	n = read(out[0], text, sizeof text - 1);
	(void)close(out[0]);
	CHECK(n > 0);
	text[n] = '\0';
	CHECK(strcmp(text, want) == 0);
	return status;
}

static void
test_exits(void)
{
	static const char said[] = "prog: error: it is so\n";
	static const struct {
		enum hm_error_kind kind;
		int code, status;
	} cases[] = {
	    {HM_ERR_MISSING, ENOENT, 2},
	    {HM_ERR_INVALID, EINVAL, 2},
	    {HM_ERR_OTHER, EINVAL, 2},
	    {HM_ERR_OTHER, ENAMETOOLONG, 2},
	    {HM_ERR_CHANNEL, ECONNREFUSED, 111},
	    {HM_ERR_OTHER, ENOMEM, 111},
	    {HM_ERR_OTHER, EMFILE, 111},
	    {HM_ERR_OTHER, EACCES, 111},
	    {HM_ERR_OTHER, ETIMEDOUT, 124},
	    {HM_ERR_CONFIGURE, ETIMEDOUT, 124},
	    {HM_ERR_CONFIGURE, EPROTO, 1},
	    {HM_ERR_EXISTS, EEXIST, 1},
	    {HM_ERR_OTHER, EHOSTUNREACH, 1},
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++)
		CHECK(status_of(cases[i].kind, cases[i].code, said) ==
		      cases[i].status);
}

int
main(void)
{
	test_kinds();
	test_sentences();
	test_exits();
	return 0;
}
