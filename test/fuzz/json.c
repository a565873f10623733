/* JSON: what is read and written again is read the same way. */
#include <stdlib.h>
#include <string.h>

#include <hostmux/json.h>

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hm_error err;
	struct hm_json *json = hm_json_parse((const char *)data, size, &err);
	struct hm_json *again;
	struct hm_json_out out;
	char *text, *text2;
	size_t len, len2;

	if (json == NULL)
		return 0;
	hm_json_out_init(&out);
	hm_json_put_value(&out, NULL, json);
	text = hm_json_out_take(&out, &len);
	CHECK(text != NULL);
	again = hm_json_parse(text, len, &err);
	CHECK(again != NULL);
	hm_json_out_init(&out);
	hm_json_put_value(&out, NULL, again);
	text2 = hm_json_out_take(&out, &len2);
	CHECK(text2 != NULL && len == len2 && memcmp(text, text2, len) == 0);
	hm_json_free(json);
	hm_json_free(again);
	free(text);
	free(text2);
	return 0;
}
