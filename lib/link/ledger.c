/*
 * The ledger: a sorted array with a moving start.
 *
 * Settlements nearly always concern the oldest entries, so those go by moving
 * the start; the rare hole in the middle moves whichever side is shorter.  The
 * array is bounded by the unsettled messages of a link (64 Ki).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "link/ledger.h"

#define LEDGER_FIRST 16

void
source_hold(struct hm_source *source)
{
	source->refs++;
}

void
source_drop(struct hm_source *source)
{
	if (--source->refs == 0)
		source->unused(source);
}

void
ledger_init(struct ledger *ledger)
{
	memset(ledger, 0, sizeof *ledger);
}

void
ledger_fini(struct ledger *ledger)
{
	size_t i;

	for (i = 0; i < ledger->len; i++)
		source_drop(ledger->entries[ledger->start + i].source);
	free(ledger->entries);
	ledger_init(ledger);
}

/* Makes room for one more entry at the end. */
static int
grow(struct ledger *ledger)
{
	struct ledger_entry *entries;
	size_t cap;

	if (ledger->start + ledger->len < ledger->cap)
		return 0;
	if (ledger->start > ledger->cap / 2) {
		memmove(ledger->entries, ledger->entries + ledger->start,
		    ledger->len * sizeof *ledger->entries);
		ledger->start = 0;
		return 0;
	}
	cap = ledger->cap == 0 ? LEDGER_FIRST : ledger->cap * 2;
	entries = realloc(ledger->entries, cap * sizeof *entries);
	if (entries == NULL)
		return -1;
	ledger->entries = entries;
	ledger->cap = cap;
	return 0;
}

int
ledger_add(struct ledger *ledger, uint64_t number, struct hm_source *source,
    uint64_t origin)
{
	struct ledger_entry *last;

	if (ledger->len > 0) {
		last = &ledger->entries[ledger->start + ledger->len - 1];
		if (last->source == source &&
		    last->first + last->count == number &&
		    last->origin + last->count == origin &&
		    last->count < UINT32_MAX) {
			last->count++;
			ledger->unsettled++;
			return 0;
		}
	}
	if (grow(ledger) == -1)
		return -1;
	last = &ledger->entries[ledger->start + ledger->len++];
	last->first = number;
	last->origin = origin;
	last->source = source;
	last->count = 1;
	source_hold(source);
	ledger->unsettled++;
	return 0;
}

/* Index (from start) of the first entry that ends behind number, or len. */
static size_t
lower_bound(const struct ledger *ledger, uint64_t number)
{
	const struct ledger_entry *e;
	size_t low = 0, high = ledger->len, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		e = &ledger->entries[ledger->start + mid];
		if (e->first + e->count <= number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Index (from start) of the entry that holds number, or len. */
static size_t
find(const struct ledger *ledger, uint64_t number)
{
	size_t at = lower_bound(ledger, number);

	if (at < ledger->len &&
	    ledger->entries[ledger->start + at].first > number)
		return ledger->len;
	return at;
}

/* Takes entry i out of the array, moving its shorter side. */
static void
take_out(struct ledger *ledger, size_t i)
{
	struct ledger_entry *entries = ledger->entries + ledger->start;

	if (i < ledger->len / 2) {
		memmove(entries + 1, entries, i * sizeof *entries);
		ledger->start++;
	} else {
		memmove(entries + i, entries + i + 1,
		    (ledger->len - i - 1) * sizeof *entries);
	}
	if (--ledger->len == 0)
		ledger->start = 0;
}

/* Cuts entry i in two, the second beginning at number. */
static int
split(struct ledger *ledger, size_t i, uint64_t number)
{
	struct ledger_entry *e, *rest;
	uint32_t keep;

	if (grow(ledger) == -1)
		return -1;
	e = ledger->entries + ledger->start + i;
	rest = e + 1;
	memmove(rest + 1, rest, (ledger->len - i - 1) * sizeof *e);
	ledger->len++;
	keep = (uint32_t)(number - e->first);
	*rest = *e;
	rest->first += keep;
	rest->origin += keep;
	rest->count -= keep;
	e->count = keep;
	source_hold(rest->source);
	return 0;
}

/* Takes the part of first … first + count - 1 that is in one entry out, as an
 * entry of its own, with its reference. */
static int
take_part(struct ledger *ledger, uint64_t first, uint64_t count,
    struct ledger_entry *e)
{
	size_t i = find(ledger, first);

	if (i == ledger->len) {
		errno = EINVAL;
		return -1;
	}
	*e = ledger->entries[ledger->start + i];
	if (e->first < first) {
		if (split(ledger, i, first) == -1)
			return -1;
		*e = ledger->entries[ledger->start + ++i];
	}
	if (e->count > count) {
		if (split(ledger, i, first + count) == -1)
			return -1;
		e->count = (uint32_t)count;
	}
	take_out(ledger, i);
	ledger->unsettled -= e->count;
	ledger->settled += e->count;
	return 0;
}

int
ledger_take(struct ledger *ledger, uint64_t number, struct hm_source **source,
    uint64_t *origin)
{
	struct ledger_entry e;

	if (take_part(ledger, number, 1, &e) == -1)
		return -1;
	*source = e.source;
	*origin = e.origin;
	return 0;
}

int
ledger_settle(struct ledger *ledger, uint64_t first, uint64_t count,
    const struct settlement *how)
{
	struct ledger_entry e;

	while (count > 0) {
		if (take_part(ledger, first, count, &e) == -1)
			return -1;
		first += e.count;
		count -= e.count;
		e.source->settle(e.source, e.origin, e.count, how);
		source_drop(e.source);
	}
	return 0;
}

void
ledger_forget(struct ledger *ledger, uint64_t number)
{
	struct ledger_entry *last;

	if (ledger->len == 0)
		return;
	last = &ledger->entries[ledger->start + ledger->len - 1];
	if (last->first + last->count - 1 != number)
		return;
	ledger->unsettled--;
	ledger->settled++;
	if (--last->count == 0) {
		ledger->len--;
		source_drop(last->source);
	}
}

uint64_t
ledger_next(const struct ledger *ledger, uint64_t number)
{
	size_t at = lower_bound(ledger, number);
	uint64_t first;

	if (at == ledger->len)
		return UINT64_MAX;
	first = ledger->entries[ledger->start + at].first;
	return first > number ? first : number;
}

bool
ledger_has(const struct ledger *ledger, uint64_t number)
{
	return find(ledger, number) < ledger->len;
}

const struct ledger_entry *
ledger_oldest(const struct ledger *ledger)
{
	return ledger->len == 0 ? NULL : &ledger->entries[ledger->start];
}
