/*
 * A host in this process, and a client of it that owns what is started: for
 * drivers that know the public headers and nothing else.
 */
#ifndef EMBED_H
#define EMBED_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/hostmux.h>

#include "check.h"

static struct hm_loop *loop;
static struct hm_host *host;
static struct hm_actor *owner;
static struct hm_error err;
static char address[HM_ADDR_SIZE];
static char embed_dir[] = "/tmp/hostmux-test-XXXXXX";

#define UNTIL(what)                                         \
	do {                                                \
		unsigned turns_ = 0;                        \
		while (!(what)) {                           \
			CHECK(turns_++ < 20000);            \
			CHECK(hm_loop_turn(loop, 10) == 0); \
		}                                           \
	} while (0)

static inline int
answer(struct hm_actor *actor, struct hm_envelope *msg)
{
	return hm_reply_typed(
	    actor, msg, "text/x-answer", hm_payload(msg), hm_payload_len(msg));
}

static inline void
make_host(void)
{
	static const char *listen[] = {address, NULL};
	struct hm_host_config config = {0};
	struct hm_limits limits;

	(void)snprintf(address, sizeof address, "unix:%s/h", embed_dir);
	hm_limits_init(&limits);
	config.listen = listen;
	config.mode = 0600;
	config.timeout = 1234;
	config.max = 64;
	config.limits = &limits;
	host = hm_host_new(loop, &config, &err);
	CHECK(host != NULL);
}

static inline struct hm_proc *
attach(const char *where, const char *name)
{
	struct hm_attach how = {0};
	struct hm_proc *proc;

	how.host = where;
	how.name = name;
	proc = hm_proc_attach(loop, &how, &err);
	CHECK(proc != NULL);
	return proc;
}

static inline void
control(const char *request)
{
	struct hm_json *json = hm_control(owner, request, 5000, &err);

	if (json == NULL)
		fprintf(stderr, "%s: %s\n", request, err.text);
	CHECK(json != NULL);
	hm_json_free(json);
}

static inline bool
says(const struct hm_envelope *env, const char *text)
{
	return env != NULL && hm_payload_len(env) == strlen(text) &&
	       memcmp(hm_payload(env), text, strlen(text)) == 0;
}

/* Loop, host and owner, in a directory of their own. */
static inline void
embed_begin(void)
{
	CHECK(mkdtemp(embed_dir) != NULL);
	CHECK(setenv("XDG_RUNTIME_DIR", embed_dir, 1) == 0);
	loop = hm_loop_new(NULL, &err);
	CHECK(loop != NULL);
	make_host();
	owner = hm_proc_instance(attach(address, "owner"), "agent", &err);
	CHECK(owner != NULL);
}

static inline void
embed_end(void)
{
	hm_loop_free(loop);
	CHECK(access(address + 5, F_OK) == -1);
	CHECK(rmdir(embed_dir) == 0); /* all sockets are gone */
}

#endif
