/* Addresses and ids: printing and parsing are inverses. */
#include <stdlib.h>
#include <string.h>

#include <hostmux/id.h>

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), printed[HM_ID_TEXT];
	struct hm_addr addr, addr2;
	struct hm_id id, id2;

	MUST(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	if (hm_addr_parse(&addr, text, HM_ADDR_LISTEN, NULL) == 0) {
		MUST(hm_addr_parse(&addr2, addr.text, HM_ADDR_LISTEN, NULL) ==
		     0);
		MUST(strcmp(addr.text, addr2.text) == 0);
	}
	if (hm_id_parse(&id, text, NULL) == 0) {
		(void)hm_id_print(&id, printed, sizeof printed);
		MUST(hm_id_parse(&id2, printed, NULL) == 0);
		MUST(hm_id_compare(&id, &id2) == 0);
	}
	free(text);
	return 0;
}
