/*
 * See registry.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/registry.h"

static unsigned
hash(const char *name)
{
	unsigned h = 2166136261u;

	while (*name != '\0')
		h = (h ^ (unsigned char)*name++) * 16777619u;
	return h % REGISTRY_BUCKETS;
}

static void
append(struct entries *list, struct entry *entry)
{
	entry->next = NULL;
	entry->prev = list->last;
	if (list->last != NULL)
		list->last->next = entry;
	else
		list->first = entry;
	list->last = entry;
	list->n++;
}

static void
take_out(struct entries *list, struct entry *entry)
{
	if (entry->prev != NULL)
		entry->prev->next = entry->next;
	else
		list->first = entry->next;
	if (entry->next != NULL)
		entry->next->prev = entry->prev;
	else
		list->last = entry->prev;
	list->n--;
}

static void
leave(struct registry *registry, struct entry *entry)
{
	struct entry **p = &registry->buckets[hash(entry->name)];

	while (*p != entry)
		p = &(*p)->hash_next;
	*p = entry->hash_next;
	take_out(&registry->living, entry);
}

void
registry_init(struct registry *registry, size_t retention)
{
	memset(registry, 0, sizeof *registry);
	registry->retention = retention;
}

void
registry_fini(struct registry *registry)
{
	struct entry *entry;

	while ((entry = registry->living.first) != NULL) {
		take_out(&registry->living, entry);
		entry_free(entry);
	}
	while ((entry = registry->ended.first) != NULL) {
		take_out(&registry->ended, entry);
		entry_free(entry);
	}
	past_fini(&registry->past);
}

struct entry *
entry_new(enum entry_kind kind, const char *name)
{
	struct entry *entry = calloc(1, sizeof *entry);

	if (entry == NULL)
		return NULL;
	entry->kind = kind;
	entry->status.cpu = -1;
	(void)snprintf(entry->name, sizeof entry->name, "%s", name);
	return entry;
}

void
entry_free(struct entry *entry)
{
	if (entry == NULL)
		return;
	free(entry->tail);
	free(entry->last);
	free(entry);
}

void
registry_enter(struct registry *registry, struct entry *entry)
{
	struct entry **bucket = &registry->buckets[hash(entry->name)];

	entry->hash_next = *bucket;
	*bucket = entry;
	append(&registry->living, entry);
}

struct entry *
registry_find(const struct registry *registry, const char *name)
{
	struct entry *entry = registry->buckets[hash(name)];

	while (entry != NULL && strcmp(entry->name, name) != 0)
		entry = entry->hash_next;
	return entry;
}

struct entry *
registry_last(const struct registry *registry, const char *name)
{
	struct entry *entry = registry_find(registry, name);

	if (entry != NULL)
		return entry;
	entry = registry->ended.last;
	while (entry != NULL && strcmp(entry->name, name) != 0)
		entry = entry->prev;
	return entry;
}

void
registry_end(struct registry *registry, struct entry *entry)
{
	leave(registry, entry);
	entry->ended = true;
	append(&registry->ended, entry);
}

void
registry_leave(struct registry *registry, struct entry *entry)
{
	leave(registry, entry);
	entry->ended = true;
}

void
registry_count(struct registry *registry, struct entry *entry)
{
	struct entry *earlier;

	for (earlier = registry->ended.last; earlier != NULL;
	     earlier = earlier->prev) {
		if (strcmp(earlier->name, entry->name) == 0)
			earlier->counts = false;
	}
	past_withdraw(&registry->past, entry->name);
	entry->proc = true;
	entry->counts = true;
}

static bool
ended_well(const struct entry *entry)
{
	return entry->status.state == HM_STOPPED &&
	       entry->status.exit_code == 0;
}

/* The oldest that nobody holds, of those that ended well if there is one; the
 * latest only when there is no other. */
static struct entry *
least_missed(const struct registry *registry)
{
	struct entry *entry, *oldest = NULL;

	for (entry = registry->ended.first; entry != NULL;
	     entry = entry->next) {
		if (entry->held > 0)
			continue;
		if (ended_well(entry) && entry != registry->ended.last)
			return entry;
		if (oldest == NULL)
			oldest = entry;
	}
	return oldest;
}

void
registry_trim(struct registry *registry)
{
	struct entry *entry;

	while (registry->ended.n > registry->retention &&
	       (entry = least_missed(registry)) != NULL) {
		take_out(&registry->ended, entry);
		if (entry->counts)
			past_add(&registry->past, entry->name);
		entry_free(entry);
	}
}

const char *
entry_kind_name(enum entry_kind kind)
{
	static const char *const names[] = {
	    "spawned", "joined", "client", "bound", "service", "local"};

	return names[kind];
}
