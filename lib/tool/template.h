/*
 * A template: what a program puts around a text to make a message of it, as
 * its options say.
 */
#ifndef HM_TEMPLATE_H
#define HM_TEMPLATE_H

#include "tool/reader.h"
#include "tool/tool.h"

struct template
{
	const char *type;			     /* NULL: text/plain */
	const char *headers[2 * HM_HEADERS_MAX + 1]; /* key, value, …, NULL */
	size_t nheaders;
	unsigned ttl, flags;
	enum reader_form form;
	bool json; /* texts are whole envelopes; of those DEST replaces dest */
	bool formed; /* one of --whole, --null, --json was given */
};

enum template_option {
	TEMPLATE_TYPE = 256,
	TEMPLATE_HEADER,
	TEMPLATE_WHOLE,
	TEMPLATE_NULL,
	TEMPLATE_JSON,
	TEMPLATE_NOW,
	TEMPLATE_LAST /* the first that is free */
};

#define TEMPLATE_LONG                                             \
	{"type", required_argument, NULL, TEMPLATE_TYPE},         \
	    {"header", required_argument, NULL, TEMPLATE_HEADER}, \
	    {"whole", no_argument, NULL, TEMPLATE_WHOLE},         \
	    {"null", no_argument, NULL, TEMPLATE_NULL},           \
	    {"json", no_argument, NULL, TEMPLATE_JSON},           \
	{                                                         \
		"now", no_argument, NULL, TEMPLATE_NOW            \
	}
#define TEMPLATE_HELP                                                  \
	"      --type T        type of the messages (text/plain)\n"    \
	"      --header K=V    a header of the messages, repeatable\n" \
	"      --whole         all of stdin is one message\n"          \
	"      --null          messages on stdin end with NUL\n"       \
	"      --json          each line is a whole message as JSON\n" \
	"      --now           a refused connection is not retried\n"

/* Serves one of the options: true if opt was one.  Exits 2 over a bad one. */
bool template_option(
    struct template *template, const struct tool *tool, int opt);
/* Exits 2 if the options make no message. */
void template_check(struct template *template, const struct tool *tool);
/* reply_to may be NULL.  NULL with a sentence. */
struct hm_envelope *template_make(const struct template *template,
    struct hm_slice text, const struct hm_id *sender, const struct hm_id *dest,
    const struct hm_id *reply_to, struct hm_error *err);

#endif
