/*
 * Entries as they are shown: the records of control, one JSON object each.
 */
#include <stdlib.h>
#include <string.h>

#include "host/host_private.h"

/* Nothing is counted for procs of this process. */
static void
put_stats(const struct entry *entry, struct hm_json_out *out)
{
	struct router_stats stats = entry->stats;

	if (!entry->ended &&
	    router_stats(entry->host->router, entry->name, &stats) == -1)
		return;
	hm_json_put_u64(out, "msgs_in", stats.msgs_in);
	hm_json_put_u64(out, "msgs_out", stats.msgs_out);
	hm_json_put_u64(out, "bytes_in", stats.bytes_in);
	hm_json_put_u64(out, "bytes_out", stats.bytes_out);
	hm_json_put_u64(out, "queued", stats.queued);
}

void
entry_put(const struct entry *entry, struct hm_json_out *out, const char *key,
    bool tail)
{
	struct hm_id id;
	char text[HM_ID_TEXT];

	hm_id_set(&id, hm_host_id(entry->host), entry->name, "", 0, 0);
	id.depth = HM_ID_PROC;
	hm_json_open(out, key, '{');
	hm_json_put_string(out, "name", entry->name);
	hm_json_put_string(out, "proc", hm_id_print(&id, text, sizeof text));
	hm_json_put_string(out, "kind", entry_kind_name(entry->kind));
	hm_status_put(&entry->status, out);
	put_stats(entry, out);
	if (tail && entry->tail != NULL)
		hm_json_put_raw(out, "tail", entry->tail, strlen(entry->tail));
	hm_json_close(out, '}');
}

static bool
is_shown(const struct entry *entry, bool all)
{
	return all || entry->kind == ENTRY_SPAWNED ||
	       entry->kind == ENTRY_JOINED || entry->kind == ENTRY_BOUND;
}

void
entries_put(const struct hm_host *host, struct hm_json_out *out,
    const struct hm_json *names, bool all, bool tail)
{
	const struct hm_json *name;
	const struct entry *entry;

	hm_json_open(out, "procs", '[');
	if (names != NULL) {
		for (name = names->child; name != NULL; name = name->next) {
			entry = registry_last(&host->names, name->string);
			if (entry != NULL)
				entry_put(entry, out, NULL, tail);
		}
		hm_json_close(out, ']');
		return;
	}
	for (entry = host->names.ended.first; all && entry != NULL;
	     entry = entry->next)
		entry_put(entry, out, NULL, tail);
	for (entry = host->names.living.first; entry != NULL;
	     entry = entry->next) {
		if (is_shown(entry, all))
			entry_put(entry, out, NULL, tail);
	}
	hm_json_close(out, ']');
}
