/*
 * Ports: found by their number, of which there may be thousands, and by their
 * actor, when that ends.
 *
 * What comes for a port with a handler waits in the actor's mailbox, in order
 * with everything else.  What comes for a receiver waits at the port itself, so
 * that a callback can wait for it in turns of the loop.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "proc/proc_private.h"

#define PORTS_MIN 64u

/* By the actor, too: the well-known ones have the same number in each. */
static struct port **
bucket(
    const struct hm_proc *proc, const struct hm_actor *actor, uint64_t number)
{
	uint64_t key =
	    (number ^ (uint64_t)(uintptr_t)actor) * 0x9e3779b97f4a7c15u;

	return &proc->ports[(key >> 32) & (proc->cports - 1)];
}

struct port *
port_find(
    const struct hm_proc *proc, const struct hm_actor *actor, uint64_t number)
{
	struct port *port =
	    proc->cports == 0 ? NULL : *bucket(proc, actor, number);

	while (port != NULL && (port->number != number || port->actor != actor))
		port = port->next;
	return port;
}

static int
grow(struct hm_proc *proc)
{
	struct port **old = proc->ports, **head, *port, *next;
	size_t i, n = proc->cports;

	if (proc->nports < n)
		return 0;
	proc->cports = n == 0 ? PORTS_MIN : n * 2;
	proc->ports = calloc(proc->cports, sizeof *proc->ports);
	if (proc->ports == NULL) {
		proc->ports = old;
		proc->cports = n;
		return n == 0 ? -1 : 0; /* longer chains, then */
	}
	for (i = 0; i < n; i++) {
		for (port = old[i]; port != NULL; port = next) {
			next = port->next;
			head = bucket(proc, port->actor, port->number);
			port->next = *head;
			*head = port;
		}
	}
	free(old);
	return 0;
}

static struct port *
add(struct hm_actor *actor, uint64_t number, bool once)
{
	struct hm_proc *proc = actor->proc;
	struct port *port, **head;

	if (actor->phase == PHASE_OVER) {
		errno = ECANCELED;
		return NULL;
	}
	if (grow(proc) == -1)
		return NULL;
	port = calloc(1, sizeof *port);
	if (port == NULL)
		return NULL;
	port->actor = actor;
	port->number = number;
	port->once = once;
	mail_init(&port->mail);
	port->other = actor->ports;
	if (port->other != NULL)
		port->other->back = &port->other;
	port->back = &actor->ports;
	actor->ports = port;
	head = bucket(proc, actor, number);
	port->next = *head;
	*head = port;
	proc->nports++;
	return port;
}

uint64_t
hm_port_open(struct hm_actor *actor, hm_handler *handle, bool once)
{
	struct port *port = add(actor, actor->proc->next_port, once);

	if (port == NULL)
		return 0;
	port->handle = handle == NULL ? actor->handle : handle;
	return actor->proc->next_port++;
}

int
hm_port_open_at(struct hm_actor *actor, uint64_t number, hm_handler *handle)
{
	struct port *port;

	if (number >= HM_PORT_FIRST ||
	    port_find(actor->proc, actor, number) != NULL) {
		errno = EINVAL;
		return -1;
	}
	port = add(actor, number, false);
	if (port == NULL)
		return -1;
	port->handle = handle == NULL ? actor->handle : handle;
	return 0;
}

int
port_receive(struct hm_actor *actor, uint64_t number, bool once)
{
	struct port *port = add(actor, number, once);

	if (port == NULL)
		return -1;
	port->receives = true;
	return 0;
}

uint64_t
hm_port_open_receiver(struct hm_actor *actor, bool once)
{
	if (port_receive(actor, actor->proc->next_port, once) == -1)
		return 0;
	return actor->proc->next_port++;
}

static void
port_free(struct port *port)
{
	struct hm_proc *proc = port->actor->proc;
	struct hm_envelope *env;
	char name[HM_NAME_MAX + 24];

	while ((env = mail_take(&port->mail)) != NULL)
		mail_refuse(proc, env,
		    "port %" PRIu64 " of actor '%s' is closed", port->number,
		    actor_name(port->actor, name));
	free(port);
}

void
hm_port_close(struct hm_actor *actor, uint64_t number)
{
	struct port *port = port_find(actor->proc, actor, number), **p;

	if (port == NULL)
		return;
	*port->back = port->other;
	if (port->other != NULL)
		port->other->back = port->back;
	for (p = bucket(actor->proc, actor, number); *p != port;)
		p = &(*p)->next;
	*p = port->next;
	actor->proc->nports--;
	port_free(port);
}

void
ports_close(struct hm_actor *actor)
{
	while (actor->ports != NULL)
		hm_port_close(actor, actor->ports->number);
}

void
ports_fini(struct hm_proc *proc)
{
	free(proc->ports);
	proc->ports = NULL;
	proc->nports = proc->cports = 0;
}

void
hm_port_id(const struct hm_actor *actor, uint64_t number, struct hm_id *id)
{
	hm_actor_get_id(actor, id);
	id->depth = HM_ID_PORT;
	id->port = number;
}

struct hm_envelope *
port_take(struct hm_actor *actor, uint64_t number)
{
	struct port *port = port_find(actor->proc, actor, number);
	struct hm_envelope *env;

	if (port == NULL || !port->receives) {
		errno = ECANCELED;
		return NULL;
	}
	env = mail_take(&port->mail);
	if (env == NULL) {
		errno = EAGAIN;
		return NULL;
	}
	if (port->once)
		hm_port_close(actor, number);
	return env;
}

struct hm_envelope *
hm_port_try_recv(struct hm_actor *actor, uint64_t number)
{
	struct hm_envelope *env = port_take(actor, number);

	actor->messages += env != NULL;
	return env;
}

size_t
hm_port_drain(struct hm_actor *actor, uint64_t number,
    struct hm_envelope **msgs, size_t max)
{
	size_t n = 0;

	while (n < max && (msgs[n] = hm_port_try_recv(actor, number)) != NULL)
		n++;
	return n;
}

/* One turn, unless the time has come. */
static int
wait_a_turn(
    struct hm_proc *proc, uint64_t end, uint64_t timeout, struct hm_error *err)
{
	uint64_t now = hm_loop_now(proc->loop);

	if (timeout != 0 && now >= end)
		return hm_fail(
		    err, ETIMEDOUT, "nothing within %" PRIu64 " ms", timeout);
	if (proc->stopped)
		return hm_fail(err, ECANCELED, "stopped while waiting");
	if (proc_turn(proc, timeout == 0 ? -1 : sys_poll_ms(end - now)) == -1)
		return hm_fail(err, errno, "loop: %s", strerror(errno));
	return 0;
}

struct hm_envelope *
hm_port_recv(struct hm_actor *actor, uint64_t number, uint64_t timeout,
    struct hm_error *err)
{
	struct hm_proc *proc = actor->proc;
	uint64_t end = hm_loop_now(proc->loop) + timeout;
	struct hm_envelope *env;
	char name[HM_NAME_MAX + 24];

	hm_actor_hold(actor);
	while ((env = hm_port_try_recv(actor, number)) == NULL) {
		if (errno != EAGAIN) {
			(void)hm_fail(err, ECANCELED,
			    "actor '%s' has no receiver at port %" PRIu64,
			    actor_name(actor, name), number);
			break;
		}
		if (wait_a_turn(proc, end, timeout, err) == -1)
			break;
	}
	hm_actor_drop(actor);
	return env;
}
