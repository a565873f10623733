/*
 * Messages made of texts.
 *
 * A JSON envelope was written by whoever received it: its type, headers, TTL
 * and payload are kept, its sender, dest and errors were of another message.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool/template.h"

/* "K=V", cut in place. */
static void
split_pairs(struct template *template, const struct tool *tool)
{
	char *text;
	size_t i, n;

	if (template->pairs.n > HM_HEADERS_MAX)
		tool_usage(
		    tool, "option --header: more than %d", HM_HEADERS_MAX);
	for (i = 0; i < template->pairs.n; i++) {
		text = (char *)template->pairs.text[i];
		n = strcspn(text, "=");
		if (text[n] == '\0')
			tool_usage(
			    tool, "option --header: no '=' in '%s'", text);
		text[n] = '\0';
		template->headers[2 * i] = text;
		template->headers[2 * i + 1] = text + n + 1;
	}
}

enum reader_form
template_form(const struct tool *tool, bool whole, bool null, bool json)
{
	if (whole + null + json > 1)
		tool_usage(tool, "--whole, --null and --json: only one");
	return whole ? READER_WHOLE : null ? READER_NULL : READER_LINES;
}

void
template_check(struct template *template, const struct tool *tool)
{
	struct hm_slice nothing = {"", 0};
	struct hm_envelope *env;
	struct hm_error err;
	struct hm_id id;

	template->form = template_form(
	    tool, template->whole, template->null, template->json);
	split_pairs(template, tool);
	if (template->json && (template->type != NULL || template->pairs.n > 0))
		tool_usage(tool, "--json: not with --type or --header");
	if (template->type == NULL)
		template->type = "text/plain";
	if (template->json)
		return;
	hm_id_set(&id, "local:0", "any", "main", 0, 0);
	env = template_make(template, nothing, &id, &id, NULL, &err);
	if (env == NULL && err.code == ENOMEM)
		exit(tool_fail(tool, &err));
	if (env == NULL)
		tool_usage(tool, "%s", err.text);
	hm_envelope_free(env);
}

/* A copy of s behind *p, with a NUL. */
static const char *
copy(char **p, struct hm_slice s)
{
	char *text = *p;

	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	*p += s.n + 1;
	return text;
}

static struct hm_envelope *
make_again(
    const struct hm_envelope *env, struct hm_draft *draft, struct hm_error *err)
{
	/* Parts of one head, with a NUL each. */
	char texts[2 * HM_HEAD_MAX], *p = texts;
	const char *headers[2 * HM_HEADERS_MAX + 1];
	struct hm_slice key, value;
	size_t i, n = 0;

	draft->type = copy(&p, hm_envelope_type(env));
	for (i = 0; hm_envelope_header_at(env, i, &key, &value); i++) {
		headers[n] = copy(&p, key);
		if (draft->reply_to != NULL &&
		    strcmp(headers[n], "reply-to") == 0)
			continue;
		headers[n + 1] = copy(&p, value);
		n += 2;
	}
	headers[n] = NULL;
	draft->headers = headers;
	draft->ttl = hm_envelope_ttl(env);
	return hm_envelope_new(
	    draft, hm_payload(env), hm_payload_len(env), err);
}

struct hm_envelope *
template_make(const struct template *template, struct hm_slice text,
    const struct hm_id *sender, const struct hm_id *dest,
    const struct hm_id *reply_to, struct hm_error *err)
{
	struct hm_draft draft = {sender, dest, template->type, template->ttl,
	    template->now ? HM_ENV_NOW : 0, reply_to, template->headers};
	struct hm_envelope *env, *again;

	if (!template->json)
		return hm_envelope_new(&draft, text.p, text.n, err);
	env = hm_envelope_read(text.p, text.n, dest, err);
	if (env == NULL)
		return NULL;
	again = make_again(env, &draft, err);
	hm_envelope_free(env);
	return again;
}
