/*
 * Addresses and ids: printing and parsing are exact inverses, what is printed
 * may stand on the wire, and the order of ids is total.  The input is lines.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <hostmux/id.h>

#include "fuzz.h"

/* Ids compared with each other. */
#define IDS 16

static void
try_address(const char *text, unsigned flags)
{
	struct hm_addr addr, again;
	struct hm_error err;

	err.text[0] = '\0';
	if (hm_addr_parse(&addr, text, flags, &err) == -1) {
		CHECK(err.text[0] != '\0');
		return;
	}
	CHECK(hm_addr_text_valid(addr.text, strlen(addr.text)));
	CHECK(strchr(addr.text, ',') == NULL);
	CHECK(hm_addr_parse(&again, addr.text, flags, NULL) == 0);
	CHECK(strcmp(addr.text, again.text) == 0);
	CHECK(again.transport == addr.transport && again.any == addr.any &&
	      again.wildcard == addr.wildcard);
	CHECK(hm_addr_is_abstract(&addr) == hm_addr_is_abstract(&again));
	CHECK(!addr.any || (flags & HM_ADDR_LISTEN) != 0);
}

static bool
try_id(const char *text, struct hm_id *id)
{
	char printed[HM_ID_TEXT], again[HM_ID_TEXT];
	struct hm_error err;
	struct hm_id id2, prefix;

	err.text[0] = '\0';
	if (hm_id_parse(id, text, &err) == -1) {
		CHECK(err.text[0] != '\0');
		return false;
	}
	(void)hm_id_print(id, printed, sizeof printed);
	CHECK(hm_id_parse(&id2, printed, NULL) == 0);
	CHECK(hm_id_compare(id, &id2) == 0 && id->depth == id2.depth);
	CHECK(strcmp(hm_id_print(&id2, again, sizeof again), printed) == 0);
	for (prefix = *id; prefix.depth >= HM_ID_PROC;) {
		CHECK(hm_id_is_prefix(&prefix, id));
		CHECK(hm_id_compare(&prefix, id) <= 0);
		if (prefix.depth == HM_ID_PROC)
			break;
		prefix.depth = (enum hm_id_depth)(prefix.depth - 1);
	}
	return true;
}

static void
try_order(const struct hm_id *ids, size_t n)
{
	size_t i, j, k;
	int a, b;

	for (i = 0; i < n; i++) {
		for (j = 0; j < n; j++) {
			a = hm_id_compare(&ids[i], &ids[j]);
			b = hm_id_compare(&ids[j], &ids[i]);
			CHECK((a < 0) == (b > 0) && (a == 0) == (b == 0));
			for (k = 0; k < n && a < 0; k++)
				CHECK(hm_id_compare(&ids[j], &ids[k]) >= 0 ||
				      hm_id_compare(&ids[i], &ids[k]) < 0);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *line, *next;
	static struct hm_id ids[IDS];
	struct hm_id dest;
	size_t n = 0;

	CHECK(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	for (line = text; line != NULL; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		try_address(line, 0);
		try_address(line, HM_ADDR_LISTEN);
		if (try_id(line, &ids[n]) && n + 1 < IDS)
			n++;
		/* With an address in it a name would be looked up. */
		if (strchr(line, ':') == NULL &&
		    hm_id_parse_dest(&dest, line, "unix:/h", NULL) == 0)
			CHECK(dest.depth == HM_ID_PORT &&
			      strcmp(dest.addr, "unix:/h") == 0);
	}
	try_order(ids, n);
	free(text);
	return 0;
}
