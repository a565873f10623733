/*
 * What a host remembers: which of the ended are kept, and what a reap of all
 * has to count.
 */
#include <string.h>

#include "check.h"
#include "host/registry.h"

static struct entry *
live(struct registry *registry, const char *name, bool proc)
{
	struct entry *entry = entry_new(ENTRY_SPAWNED, name);

	CHECK(entry != NULL);
	registry_enter(registry, entry);
	CHECK(registry_find(registry, name) == entry);
	if (proc)
		registry_count(registry, entry);
	return entry;
}

static void
end(struct registry *registry, struct entry *entry, int exit_code)
{
	entry->status.state = HM_STOPPED;
	entry->status.exit_code = exit_code;
	registry_end(registry, entry);
	registry_trim(registry);
}

static uint64_t
count(const struct registry *registry)
{
	const struct entry *entry;
	uint64_t n = past_count(&registry->past);

	for (entry = registry->ended.first; entry != NULL; entry = entry->next)
		n += entry->counts;
	for (entry = registry->living.first; entry != NULL; entry = entry->next)
		n += entry->counts;
	return n;
}

static void
test_failures_outlive_clean_stops(void)
{
	struct registry registry;
	char name[16];
	int i;

	registry_init(&registry, 3);
	for (i = 0; i < 10; i++) {
		(void)snprintf(name, sizeof name, "w%d", i);
		end(&registry, live(&registry, name, true), i % 5 == 0);
	}
	CHECK(registry.ended.n == 3);
	CHECK(registry_last(&registry, "w0") != NULL);
	CHECK(registry_last(&registry, "w5") != NULL);
	CHECK(registry_last(&registry, "w8") == NULL);
	CHECK(registry_last(&registry, "w9") != NULL);
	CHECK(registry_find(&registry, "w9") == NULL);
	CHECK(count(&registry) == 10);
	registry_fini(&registry);
}

static void
test_a_name_counts_once(void)
{
	struct registry registry;
	struct entry *entry;

	registry_init(&registry, 1);
	end(&registry, live(&registry, "a", true), 0);
	end(&registry, live(&registry, "b", true), 0); /* a is forgotten */
	CHECK(count(&registry) == 2);
	entry = live(&registry, "a", false);
	CHECK(count(&registry) == 2);
	registry_count(&registry, entry);
	CHECK(count(&registry) == 2);
	end(&registry, entry, 0);
	CHECK(count(&registry) == 2);
	past_clear(&registry.past, registry.past.next);
	CHECK(count(&registry) == 1);
	registry_fini(&registry);
}

static void
test_what_is_held_stays(void)
{
	struct registry registry;
	struct entry *entry;

	registry_init(&registry, 0);
	entry = live(&registry, "a", true);
	entry->held = 1;
	end(&registry, entry, 0);
	CHECK(registry_last(&registry, "a") == entry);
	entry->held = 0;
	registry_trim(&registry);
	CHECK(registry_last(&registry, "a") == NULL);
	CHECK(count(&registry) == 1);
	registry_fini(&registry);
}

static void
test_the_past_is_bounded(void)
{
	struct past past;
	char name[16];
	unsigned i;

	memset(&past, 0, sizeof past);
	for (i = 0; i < 3 * PAST_MAX; i++) {
		(void)snprintf(name, sizeof name, "p%u", i);
		past_add(&past, name);
	}
	CHECK(past_count(&past) == 3 * PAST_MAX);
	past_withdraw(&past, name);
	CHECK(past_count(&past) == 3 * PAST_MAX - 1);
	past_clear(&past, past.next);
	CHECK(past_count(&past) == 0);
	past_fini(&past);
}

int
main(void)
{
	test_failures_outlive_clean_stops();
	test_a_name_counts_once();
	test_what_is_held_stays();
	test_the_past_is_bounded();
	return 0;
}
