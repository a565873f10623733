/*
 * MODE, built and read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hostmux/json.h>
#include <hostmux/text.h>

#include "boot/payload.h"

/* A variable is at most 128 KiB on Linux; this is far below and enough. */
#define PAYLOAD_MAX ((size_t)64 * 1024)

int
payload_socket(const char *dir, const char *token, char addr[HM_ADDR_SIZE])
{
	struct hm_addr checked;
	int n;

	/* 32 bits for a name; 96 stay secret. */
	n = snprintf(addr, HM_ADDR_SIZE, "unix:%s/p-%.8s", dir, token);
	if (n < 0 || n >= HM_ADDR_SIZE)
		return hm_fail(NULL, ENAMETOOLONG, "path too long");
	return hm_addr_parse(&checked, addr, HM_ADDR_LISTEN, NULL);
}

char *
payload_encode(const struct payload *payload, const char *const *config)
{
	struct hm_json_out out;
	char *json, *text = NULL;
	size_t len;

	hm_json_begin(&out);
	hm_json_put_string(&out, "proc_id", payload->proc_id);
	hm_json_put_string(&out, "backend_addr", payload->backend_addr);
	hm_json_put_string(&out, "callback_addr", payload->callback_addr);
	hm_json_put_string(&out, "token", payload->token);
	hm_json_put_string(&out, "socket_dir", payload->socket_dir);
	hm_json_open(&out, "config", '{');
	for (; config != NULL && config[0] != NULL; config += 2)
		hm_json_put_string(&out, config[0], config[1]);
	hm_json_close(&out, '}');
	hm_json_close(&out, '}');
	json = hm_json_out_take(&out, &len);
	if (json != NULL && (text = malloc(hm_base64_size(len))) != NULL)
		hm_base64_encode(json, len, text);
	free(json);
	if (text == NULL)
		errno = ENOMEM;
	return text;
}

static int
get_text(const struct hm_json *json, const char *key, char *buf, size_t size,
    struct hm_error *err)
{
	const char *text = hm_json_string(json, key, NULL);

	if (text == NULL)
		return hm_fail(err, EINVAL, "no \"%s\"", key);
	if (strlen(text) >= size)
		return hm_fail(err, EINVAL, "\"%s\" is too long", key);
	memcpy(buf, text, strlen(text) + 1);
	return 0;
}

static int
get_addr(const struct hm_json *json, const char *key, char *buf,
    struct hm_error *err)
{
	struct hm_addr addr;

	if (get_text(json, key, buf, HM_ADDR_SIZE, err) == -1)
		return -1;
	return hm_addr_parse(&addr, buf, 0, err);
}

static int
get_config(
    const struct hm_json *json, struct hm_limits *limits, struct hm_error *err)
{
	const struct hm_json *config = hm_json_get(json, "config"), *value;

	if (config == NULL || limits == NULL)
		return 0;
	for (value = config->child; value != NULL; value = value->next) {
		if (value->key == NULL || value->string == NULL)
			return hm_fail(err, EINVAL, "\"config\": no object");
		if (hm_limits_set(limits, value->key, value->string, err) == -1)
			return -1;
	}
	return 0;
}

static int
get_payload(const struct hm_json *json, struct payload *payload,
    struct hm_limits *limits, struct hm_error *err)
{
	struct hm_id id;

	if (get_text(json, "proc_id", payload->proc_id, sizeof payload->proc_id,
		err) == -1 ||
	    hm_id_parse(&id, payload->proc_id, err) == -1 ||
	    get_addr(json, "backend_addr", payload->backend_addr, err) == -1 ||
	    get_addr(json, "callback_addr", payload->callback_addr, err) ==
		-1 ||
	    get_text(json, "token", payload->token, sizeof payload->token,
		err) == -1 ||
	    get_text(json, "socket_dir", payload->socket_dir,
		sizeof payload->socket_dir, err) == -1)
		return -1;
	if (id.depth != HM_ID_PROC)
		return hm_fail(
		    err, EINVAL, "id '%s': not of a proc", payload->proc_id);
	return get_config(json, limits, err);
}

int
payload_decode(const char *text, struct payload *payload,
    struct hm_limits *limits, struct hm_error *err)
{
	struct hm_error why = {HM_ERR_OTHER, EINVAL, "not base64"};
	struct hm_json *json = NULL;
	size_t len = strlen(text);
	char *bytes = len > PAYLOAD_MAX ? NULL : malloc(len * 3 / 4 + 3);
	long n = bytes == NULL ? -1 : hm_base64_decode(text, len, bytes);
	int done = -1;

	if (n != -1)
		json = hm_json_parse(bytes, (size_t)n, &why);
	if (json != NULL)
		done = get_payload(json, payload, limits, &why);
	hm_json_free(json);
	free(bytes);
	if (done == 0)
		return 0;
	return hm_fail_kind(err, HM_ERR_INVALID, EINVAL,
	    "parameter '%s' invalid: %s", BOOT_MODE, why.text);
}
