/*
 * An error that a person will read: a kind (the seeds' names for what a host
 * may refuse), an errno value for programs, and the whole sentence.
 */
#ifndef HOSTMUX_ERROR_H
#define HOSTMUX_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define HM_ERROR_TEXT 512

enum hm_error_kind {
	HM_ERR_OTHER,
	HM_ERR_CHANNEL,	  /* ChannelError */
	HM_ERR_EXISTS,	  /* ProcExists */
	HM_ERR_SPAWN,	  /* ProcessSpawnFailure */
	HM_ERR_CONFIGURE, /* ProcessConfigurationFailure */
	HM_ERR_AGENT,	  /* AgentSpawnFailure */
	HM_ERR_MISSING,	  /* MissingParameter */
	HM_ERR_INVALID,	  /* InvalidParameter */
	HM_ERR_NOPROC,	  /* no such proc on that host */
	HM_ERR_DENIED	  /* the peer may not do that */
};

struct hm_error {
	enum hm_error_kind kind;
	int code; /* an errno value, never 0 once filled */
	char text[HM_ERROR_TEXT];
};

/*
 * Fills err (which may be NULL) with kind OTHER, code and the sentence, sets
 * errno to code, returns -1: "return hm_fail(err, EINVAL, ...)".  A sentence
 * that is too long is cut.
 */
int hm_fail(struct hm_error *err, int code, const char *fmt, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;
/* The same with a kind. */
int hm_fail_kind(struct hm_error *err, enum hm_error_kind kind, int code,
    const char *fmt, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 4, 5)))
#endif
    ;
/* "ProcExists" and so on; "Error" for OTHER. */
const char *hm_error_kind_name(enum hm_error_kind kind);
/* The kind of that name, OTHER if there is none. */
enum hm_error_kind hm_error_kind_of(const char *name);
/*
 * Prints "program: error: text" on stderr; returns the exit status that suits:
 * 2 for MISSING, INVALID and what was written wrongly, 111 when the host was
 * never reached or the system said no (CHANNEL, an errno of resources), 124
 * when a time ran out, 1 otherwise.
 */
int hm_error_exit(const struct hm_error *err, const char *program);

#ifdef __cplusplus
}
#endif
#endif
