/* Envelopes: heads from the wire, and the textual form. */
#include <stdlib.h>
#include <string.h>

#include "wire/record.h"
#include "fuzz.h"

static void
print_and_read(const struct hm_envelope *env)
{
	struct hm_json_out out;
	struct hm_envelope *again;
	char *text;
	size_t len;

	hm_json_out_init(&out);
	hm_envelope_print(env, &out);
	text = hm_json_out_take(&out, &len);
	MUST(text != NULL);
	again = hm_envelope_read(text, len, NULL, NULL);
	if (again != NULL)
		MUST(hm_payload_len(again) == hm_payload_len(env));
	hm_envelope_free(again);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hm_envelope *env;
	struct hm_head head;
	struct hm_id id;

	if (hm_head_read(&head, data, size, NULL) == 0) {
		env = hm_envelope_from_head(data, size);
		MUST(env != NULL);
		(void)hm_envelope_reply_to(env, &id);
		print_and_read(env);
		hm_envelope_dest(env, &id);
		(void)hm_envelope_set_sender(env, &id);
		(void)hm_envelope_add_error(env, HM_REFUSED, "why", "here");
		MUST(hm_head_read(&head, env->head, env->head_len, NULL) == 0);
		hm_envelope_free(env);
	}
	env = hm_envelope_read((const char *)data, size, NULL, NULL);
	if (env != NULL)
		print_and_read(env);
	hm_envelope_free(env);
	return 0;
}
