/*
 * Callbacks.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/sys.h"
#include "boot/callback.h"

/* A listening socket that cannot be accepted from stays readable. */
#define REST_MS 100
/* Connections that have not said their token; the oldest goes first. */
#define UNCLAIMED_MAX 256

/* Its talk is over. */
static void
on_closed(void *arg)
{
	struct callback *call = arg;
	struct callbacks *server = call->server;
	struct callback **p = &server->calls;

	while (*p != call)
		p = &(*p)->next;
	*p = call->next;
	if (server->next == call)
		server->next = call->next;
	if (call->owner == NULL)
		server->unclaimed--;
	else
		server->closed(server->arg, call->owner);
	free(call);
}

void
callback_close(struct callback *call)
{
	talk_stop(&call->talk);
	on_closed(call);
}

void
callback_claim(struct callback *call, void *owner)
{
	call->owner = owner;
	call->server->unclaimed--;
}

static int
on_said(void *arg, const struct hm_json *line)
{
	struct callback *call = arg;

	return call->server->said(call->server->arg, call, line);
}

/* Makes room: the oldest that has not said its token is heard, or goes. */
static void
press_oldest(struct callbacks *server)
{
	struct callback *call, *oldest = NULL;

	/* New ones are put in front. */
	for (call = server->calls; call != NULL; call = call->next) {
		if (call->owner == NULL)
			oldest = call;
	}
	if (oldest != NULL)
		talk_listen(&oldest->talk);
	/* That may have ended it, or given it an owner. */
	for (call = server->calls; call != NULL && call != oldest;)
		call = call->next;
	if (call != NULL && call->owner == NULL)
		callback_close(call);
}

static void
on_rested(void *arg)
{
	struct callbacks *server = arg;

	(void)hm_watch_start(
	    server->loop, &server->watch, server->watch.fd, POLLIN);
}

static int
accept_one(struct callbacks *server)
{
	int fd = sys_accept(server->watch.fd);
	struct callback *call;

	if (fd == -1 && (errno == EINTR || errno == ECONNABORTED))
		return 0;
	if (fd == -1 && errno != EAGAIN &&
	    hm_timer_start(server->loop, &server->rest, REST_MS) == 0)
		(void)hm_watch_start(
		    server->loop, &server->watch, server->watch.fd, 0);
	if (fd == -1)
		return -1;
	if (server->unclaimed >= UNCLAIMED_MAX)
		press_oldest(server);
	call = calloc(1, sizeof *call);
	if (call == NULL) {
		(void)close(fd);
		return -1;
	}
	call->server = server;
	call->talk.loop = server->loop;
	call->talk.line_max = CALLBACK_LINE_MAX;
	call->talk.said = on_said;
	call->talk.closed = on_closed;
	call->talk.arg = call;
	if (talk_start(&call->talk, fd) == -1) {
		free(call);
		return -1;
	}
	call->next = server->calls;
	server->calls = call;
	server->unclaimed++;
	return 0;
}

static void
on_call(void *arg, int fd, short revents)
{
	(void)fd;
	(void)revents;
	while (accept_one(arg) == 0)
		continue;
}

void
callbacks_drain(struct callbacks *server)
{
	struct callback *call;

	if (server->watch.fd == -1)
		return;
	on_call(server, server->watch.fd, POLLIN);
	/* Whoever is told may turn the loop, and drain: then all were heard. */
	for (call = server->calls; call != NULL; call = server->next) {
		server->next = call->next;
		talk_listen(&call->talk);
	}
}

int
callbacks_serve(struct callbacks *server, const char *dir, struct hm_error *err)
{
	struct hm_addr any;
	int fd;

	server->watch.fd = -1;
	server->watch.fn = on_call;
	server->rest.fn = on_rested;
	server->watch.arg = server->rest.arg = server;
	if (hm_addr_parse(&any, "unix", HM_ADDR_LISTEN, err) == -1)
		return -1;
	fd = sys_listen(&any, dir, 0600, false, &server->addr, err);
	if (fd == -1)
		return -1;
	sys_bound_note(&server->bound, hm_addr_path(&server->addr));
	if (hm_watch_start(server->loop, &server->watch, fd, POLLIN) == 0)
		return 0;
	server->watch.fd = fd;
	callbacks_fini(server);
	return hm_fail(err, ENOMEM, "no memory");
}

void
callbacks_fini(struct callbacks *server)
{
	int code = errno;

	while (server->calls != NULL)
		callback_close(server->calls);
	if (server->watch.fd != -1) {
		hm_timer_stop(server->loop, &server->rest);
		hm_watch_stop(server->loop, &server->watch);
		(void)close(server->watch.fd);
		server->watch.fd = -1;
		sys_bound_remove(&server->bound, hm_addr_path(&server->addr));
	}
	errno = code;
}
