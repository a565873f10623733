/*
 * Envelopes: made from a draft or from what came over a link, and read.
 *
 * The head is kept as it stands on the wire and was checked when it was made,
 * so the accessors walk over its lengths without checking them again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/record.h"

#define TTL_DEFAULT 64u

static const char *const outcome_names[] = {
    "delivered", "not sent", "refused", "timed out", "unknown"};

const char *
hm_outcome_name(enum hm_outcome outcome)
{
	return (size_t)outcome <= HM_UNKNOWN ? outcome_names[outcome] : "?";
}

int
hm_outcome_of(const char *name)
{
	int i;

	for (i = 0; i <= HM_UNKNOWN; i++) {
		if (strcmp(outcome_names[i], name) == 0)
			return i;
	}
	return -1;
}

/* Behind n times "str8". */
static const unsigned char *
skip8(const unsigned char *p, int n)
{
	while (n-- > 0)
		p += 1 + *p;
	return p;
}

static const unsigned char *
sender_of(const struct hm_envelope *env)
{
	return skip8(env->head + HM_HEAD_DEST, 3) + 16;
}

static const unsigned char *
type_of(const struct hm_envelope *env)
{
	return skip8(sender_of(env), 3) + 8;
}

static struct hm_slice
next8(const unsigned char **p)
{
	struct hm_slice s = {(const char *)*p + 1, **p};

	*p += 1 + s.n;
	return s;
}

static struct hm_slice
next16(const unsigned char **p)
{
	struct hm_slice s = {(const char *)*p + 2, hm_get16(*p)};

	*p += 2 + s.n;
	return s;
}

/* The count of the errors, behind the headers. */
static const unsigned char *
errors_of(const struct hm_envelope *env)
{
	const unsigned char *p = skip8(type_of(env), 1);
	unsigned n = *p++;

	while (n-- > 0) {
		p = skip8(p, 1);
		p += 2 + hm_get16(p);
	}
	return p;
}

static void
copy_id(const unsigned char *p, enum hm_id_depth depth, struct hm_id *id)
{
	struct hm_idref ref;

	ref.addr = next8(&p);
	ref.proc = next8(&p);
	ref.actor = next8(&p);
	ref.index = hm_get64(p);
	ref.port = depth == HM_ID_PORT ? hm_get64(p + 8) : 0;
	hm_idref_copy(&ref, depth, id);
}

/* Stands for the sender until post sets it. */
static const struct hm_id *
anonymous(struct hm_id *id, const struct hm_id *dest)
{
	hm_id_set(id, dest->addr, "anonymous", "main", 0, 0);
	return id;
}

/* The envelope of a draft, for a payload of len bytes; with room for them, or
 * for none. */
static struct hm_envelope *
drafted(
    const struct hm_draft *draft, size_t len, size_t room, struct hm_error *err)
{
	unsigned char bytes[HM_HEAD_MAX];
	struct hm_head_source src;
	struct hm_head head;
	struct hm_envelope *env;
	struct hm_id nobody;
	long n;

	memset(&src, 0, sizeof src);
	src.payload_len = len;
	src.ttl = (uint8_t)(draft->ttl == 0	     ? TTL_DEFAULT
			    : draft->ttl > UINT8_MAX ? UINT8_MAX
						     : draft->ttl);
	src.flags = (uint8_t)(draft->flags & (HM_ENV_NOW | HM_ENV_LASTING));
	src.dest = draft->dest;
	src.sender = draft->sender != NULL ? draft->sender
					   : anonymous(&nobody, draft->dest);
	src.type =
	    draft->type != NULL ? draft->type : "application/octet-stream";
	src.headers = draft->headers;
	src.reply_to = draft->reply_to;
	n = hm_head_write(bytes, &src);
	if (n == -1) {
		(void)hm_fail(err, EMSGSIZE,
		    "message with more than %d bytes of ids and headers",
		    HM_HEAD_ROOM);
		return NULL;
	}
	if (hm_head_read(&head, bytes, (size_t)n, err) == -1) {
		errno = EINVAL;
		if (err != NULL)
			err->code = EINVAL;
		return NULL;
	}
	env = hm_envelope_with_room(bytes, (size_t)n, room);
	if (env == NULL) {
		(void)hm_fail(err, ENOMEM, "no memory for %zu bytes", len);
		return NULL;
	}
	env->anonymous = draft->sender == NULL;
	env->payload_len = len;
	return env;
}

struct hm_envelope *
hm_envelope_wrap(const struct hm_draft *draft, void *payload, size_t len,
    struct hm_error *err)
{
	struct hm_envelope *env = drafted(draft, len, 0, err);

	if (env != NULL)
		env->payload = payload;
	return env;
}

struct hm_envelope *
hm_envelope_new(const struct hm_draft *draft, const void *payload, size_t len,
    struct hm_error *err)
{
	struct hm_envelope *env = drafted(draft, len, len, err);

	if (env != NULL && len > 0)
		memcpy(env->payload, payload, len);
	return env;
}

struct hm_envelope *
hm_envelope_like(
    const struct hm_envelope *model, const void *payload, size_t len)
{
	struct hm_envelope *env =
	    hm_envelope_with_room(model->head, model->head_len, len);

	if (env == NULL)
		return NULL;
	if (len > 0)
		memcpy(env->payload, payload, len);
	hm_put64(env->head, len);
	env->anonymous = model->anonymous;
	env->payload_len = len;
	return env;
}

/* The head becomes these bytes. */
static int
replace_head(struct hm_envelope *env, const unsigned char *bytes, size_t len)
{
	unsigned char *head = env->head;

	if (len > env->head_room) {
		head = malloc(len);
		if (head == NULL)
			return -1;
		if (env->head != env->bytes)
			free(env->head);
		env->head_room = len;
	}
	memcpy(head, bytes, len);
	env->head = head;
	env->head_len = len;
	return 0;
}

static unsigned char *
put8(unsigned char *p, const char *text)
{
	size_t n = strlen(text);

	*p++ = (unsigned char)n;
	memcpy(p, text, n);
	return p + n;
}

int
hm_envelope_set_sender(struct hm_envelope *env, const struct hm_id *sender)
{
	const unsigned char *rest = type_of(env);
	size_t before = (size_t)(sender_of(env) - env->head);
	size_t behind = env->head_len - (size_t)(rest - env->head);
	unsigned char bytes[HM_HEAD_MAX + 3 * 256], *p = bytes + before;

	memcpy(bytes, env->head, before);
	p = put8(p, sender->addr);
	p = put8(p, sender->proc);
	p = put8(p, sender->actor);
	hm_put64(p, sender->index);
	memcpy(p + 8, rest, behind);
	p += 8 + behind;
	if (p - bytes > HM_HEAD_ROOM) {
		errno = EMSGSIZE;
		return -1;
	}
	if (replace_head(env, bytes, (size_t)(p - bytes)) == -1)
		return -1;
	env->anonymous = false;
	return 0;
}

const void *
hm_payload(const struct hm_envelope *env)
{
	return env->payload != NULL ? (const void *)env->payload : "";
}

size_t
hm_payload_len(const struct hm_envelope *env)
{
	return env->payload_len;
}

void
hm_envelope_sender(const struct hm_envelope *env, struct hm_id *id)
{
	copy_id(sender_of(env), HM_ID_ACTOR, id);
}

void
hm_envelope_dest(const struct hm_envelope *env, struct hm_id *id)
{
	copy_id(env->head + HM_HEAD_DEST, HM_ID_PORT, id);
}

uint64_t
hm_envelope_port(const struct hm_envelope *env)
{
	return hm_get64(skip8(env->head + HM_HEAD_DEST, 3) + 8);
}

unsigned
hm_envelope_ttl(const struct hm_envelope *env)
{
	return env->head[HM_HEAD_TTL];
}

unsigned
hm_envelope_flags(const struct hm_envelope *env)
{
	return env->head[HM_HEAD_FLAGS];
}

uint32_t
hm_envelope_uid(const struct hm_envelope *env)
{
	return hm_get32(env->head + HM_HEAD_UID);
}

uint32_t
hm_envelope_pid(const struct hm_envelope *env)
{
	return hm_get32(env->head + HM_HEAD_PID);
}

struct hm_slice
hm_envelope_type(const struct hm_envelope *env)
{
	const unsigned char *p = type_of(env);

	return next8(&p);
}

bool
hm_envelope_type_is(const struct hm_envelope *env, const char *type)
{
	struct hm_slice s = hm_envelope_type(env);

	return s.n == strlen(type) && memcmp(s.p, type, s.n) == 0;
}

bool
hm_envelope_header_at(const struct hm_envelope *env, size_t i,
    struct hm_slice *key, struct hm_slice *value)
{
	const unsigned char *p = skip8(type_of(env), 1);

	if (i >= *p++)
		return false;
	do {
		*key = next8(&p);
		*value = next16(&p);
	} while (i-- > 0);
	return true;
}

struct hm_slice
hm_envelope_header(const struct hm_envelope *env, const char *name)
{
	struct hm_slice key, value;
	size_t i;

	for (i = 0; hm_envelope_header_at(env, i, &key, &value); i++) {
		if (key.n == strlen(name) && memcmp(key.p, name, key.n) == 0)
			return value;
	}
	value.p = NULL;
	value.n = 0;
	return value;
}

bool
hm_envelope_reply_to(const struct hm_envelope *env, struct hm_id *id)
{
	struct hm_slice value = hm_envelope_header(env, "reply-to");
	char text[HM_ID_TEXT];

	if (value.p == NULL || value.n >= sizeof text)
		return false;
	memcpy(text, value.p, value.n);
	text[value.n] = '\0';
	return hm_id_parse(id, text, NULL) == 0;
}

size_t
hm_envelope_errors(const struct hm_envelope *env)
{
	return *errors_of(env);
}

bool
hm_envelope_error_at(const struct hm_envelope *env, size_t i,
    enum hm_outcome *kind, struct hm_slice *reason, struct hm_slice *at)
{
	const unsigned char *p = errors_of(env);

	if (i >= *p++)
		return false;
	do {
		*kind = (enum hm_outcome) * p++;
		*reason = next16(&p);
		*at = next16(&p);
	} while (i-- > 0);
	return true;
}

/* The error list is the end of the head; what does not fit is cut. */
int
hm_envelope_add_error(struct hm_envelope *env, enum hm_outcome kind,
    const char *reason, const char *at)
{
	size_t count = (size_t)(errors_of(env) - env->head);
	size_t r = strlen(reason), a = strlen(at);
	unsigned char bytes[HM_HEAD_MAX], *p = bytes + env->head_len;
	size_t room = sizeof bytes - env->head_len;

	if (room < 5 || env->head[count] == UINT8_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	room -= 5;
	if (r > room)
		r = room;
	if (a > room - r)
		a = room - r;
	memcpy(bytes, env->head, env->head_len);
	bytes[count]++;
	*p++ = (unsigned char)kind;
	hm_put16(p, (uint16_t)r);
	memcpy(p + 2, reason, r);
	p += 2 + r;
	hm_put16(p, (uint16_t)a);
	memcpy(p + 2, at, a);
	p += 2 + a;
	return replace_head(env, bytes, (size_t)(p - bytes));
}
