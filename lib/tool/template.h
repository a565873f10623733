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
	/* as the options say */
	const char *type; /* NULL: text/plain */
	struct tool_list pairs;
	bool whole, null, now;
	bool json; /* texts are whole envelopes; of those DEST replaces dest */
	/* what that comes to */
	const char *headers[2 * HM_HEADERS_MAX + 1]; /* key, value, …, NULL */
	unsigned ttl;
	enum reader_form form;
};

/* Exits 2 if the options make no message. */
void template_check(struct template *template, const struct tool *tool);
/* The form that at most one of these means; exits 2 over two of them. */
enum reader_form template_form(
    const struct tool *tool, bool whole, bool null, bool json);
/* reply_to may be NULL.  NULL with a sentence. */
struct hm_envelope *template_make(const struct template *template,
    struct hm_slice text, const struct hm_id *sender, const struct hm_id *dest,
    const struct hm_id *reply_to, struct hm_error *err);

#endif
