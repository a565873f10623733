/*
 * Attaching, or standing alone.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tool/client.h"

void
client_begin(void)
{
	struct sigaction ignore;
	int fd;

	/* The wrong way round, so that using one is an error as before. */
	for (fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) == -1)
			(void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
	}
	/* Writes say EPIPE. */
	memset(&ignore, 0, sizeof ignore);
	ignore.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &ignore, NULL);
}

static int
stand_alone(struct client *client, const char *name)
{
	char any[HM_NAME_MAX + 1];
	struct hm_error err;

	if (name == NULL) {
		(void)snprintf(any, sizeof any, "%s-%ld", client->tool->name,
		    (long)getpid());
		name = any;
	}
	client->proc = hm_proc_direct(
	    client->loop, client->listen, name, &client->limits, &err);
	return client->proc == NULL ? tool_fail(client->tool, &err) : 0;
}

int
client_open(struct client *client, const char *name)
{
	struct hm_attach how;
	struct hm_error err;

	tool_limits(client->tool, &client->limits);
	client->loop = tool_loop(client->tool);
	if (client->loop == NULL)
		return TOOL_SYSTEM;
	if (client->listen != NULL)
		return stand_alone(client, name);
	memset(&how, 0, sizeof how);
	how.host = client->host;
	how.name = name;
	how.limits = &client->limits;
	client->proc = hm_proc_attach(client->loop, &how, &err);
	return client->proc == NULL ? tool_fail(client->tool, &err) : 0;
}

void
client_close(struct client *client)
{
	hm_proc_free(client->proc);
	hm_loop_free(client->loop);
	client->proc = NULL;
	client->loop = NULL;
}

int
client_base(
    const struct client *client, char base[HM_ADDR_SIZE], struct hm_error *err)
{
	struct hm_addr addr;

	if (client->listen == NULL) {
		(void)snprintf(
		    base, HM_ADDR_SIZE, "%s", hm_proc_host(client->proc));
		return 0;
	}
	if (hm_host_default(&addr, client->host, err) == -1)
		return -1;
	memcpy(base, addr.text, HM_ADDR_SIZE);
	return 0;
}

const char *
client_short(const struct hm_id *id, char text[HM_ID_TEXT])
{
	return strchr(hm_id_print(id, text, HM_ID_TEXT), ',') + 1;
}
