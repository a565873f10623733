/*
 * The addresses of a host: where it listens, what it is known by, where its
 * routes lead.
 *
 * The id address, which is in all ids, is the first of "as", else the first
 * TCP address that others can dial, else the Unix socket.  All of them are the
 * host's own in routing.  The backend has a name that follows from the
 * frontend's, so that the same lock guards it and a next life replaces it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/sys.h"
#include "host/host_private.h"

#define LISTEN_MAX 32

/* What is found while listening. */
struct found {
	struct hm_addr at[LISTEN_MAX];
	size_t n;
	const struct hm_addr *id;  /* the first TCP one others can dial */
	const struct hm_addr *any; /* the first on every interface */
};

static void
directory_of(const struct hm_addr *addr, char dir[HM_ADDR_SIZE])
{
	const char *path = hm_addr_path(addr), *slash;

	dir[0] = '\0';
	if (path == NULL || (slash = strrchr(path, '/')) == NULL)
		return;
	(void)snprintf(dir, HM_ADDR_SIZE, "%.*s",
	    slash == path ? 1 : (int)(slash - path), path);
}

/* addr is what text says, *got where it listens. */
static int
serve(struct hm_host *host, const struct hm_host_config *config,
    const char *text, unsigned mode, struct hm_addr *addr, struct hm_addr *got,
    struct hm_error *err)
{
	char dir[HM_ADDR_SIZE] = "";

	if (hm_addr_parse(addr, text, HM_ADDR_LISTEN | HM_ADDR_RESOLVE, err) ==
	    -1)
		return -1;
	if (addr->any && addr->transport == HM_TRANSPORT_UNIX &&
	    sys_socket_dir(dir, sizeof dir, true, err) == -1)
		return -1;
	return router_serve(
	    host->router, addr, dir, mode, config->replace, got, err);
}

static int
listen_on(struct hm_host *host, const struct hm_host_config *config,
    const char *text, struct found *found, struct hm_error *err)
{
	struct hm_addr addr, *got = &found->at[found->n];

	if (found->n == LISTEN_MAX)
		return hm_fail_kind(err, HM_ERR_INVALID, EINVAL,
		    "address '%.100s': there are %d already", text, LISTEN_MAX);
	if (serve(host, config, text, config->mode == 0 ? 0600 : config->mode,
		&addr, got, err) == -1)
		return -1;
	found->n++;
	if (got->transport == HM_TRANSPORT_UNIX && host->frontend[0] == '\0') {
		memcpy(host->frontend, got->text, sizeof host->frontend);
		directory_of(got, host->dir);
	}
	if (got->transport == HM_TRANSPORT_TCP && addr.wildcard) {
		if (found->any == NULL)
			found->any = got;
	} else if (got->transport == HM_TRANSPORT_TCP && found->id == NULL) {
		found->id = got;
	}
	return 0;
}

/* The address this machine has towards others, by asking the kernel for the
 * way to a documentation address (nothing is sent). */
static int
source_address(char text[INET_ADDRSTRLEN], struct hm_error *err)
{
	struct sockaddr_in to, from;
	socklen_t len = sizeof from;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), done;

	memset(&to, 0, sizeof to);
	to.sin_family = AF_INET;
	to.sin_port = htons(9);
	(void)inet_pton(AF_INET, "192.0.2.1", &to.sin_addr);
	done = fd == -1 ? -1
			: connect(fd, (const struct sockaddr *)&to, sizeof to);
	if (done == 0)
		done = getsockname(fd, (struct sockaddr *)&from, &len);
	if (done == -1)
		(void)hm_fail(err, errno, "--as auto: no default route: %s",
		    strerror(errno));
	else
		(void)inet_ntop(AF_INET, &from.sin_addr, text, INET_ADDRSTRLEN);
	if (fd != -1)
		(void)close(fd);
	return done;
}

static int
known_as(const char *text, const struct found *found, struct hm_addr *addr,
    struct hm_error *err)
{
	char ip[INET_ADDRSTRLEN], full[HM_ADDR_SIZE];
	const struct hm_addr *tcp = found->any != NULL ? found->any : found->id;

	if (strcmp(text, "auto") != 0)
		return hm_addr_parse(addr, text, HM_ADDR_RESOLVE, err);
	if (tcp == NULL)
		return hm_fail_kind(err, HM_ERR_INVALID, EINVAL,
		    "--as auto: there is no tcp: address to listen on");
	if (source_address(ip, err) == -1)
		return -1;
	(void)snprintf(
	    full, sizeof full, "tcp:%s%s", ip, strrchr(tcp->text, ':'));
	return hm_addr_parse(addr, full, 0, err);
}

static int
own(struct hm_host *host, const char *addr, struct hm_error *err)
{
	struct hm_slice slice = {addr, strlen(addr)};

	if (addr[0] == '\0' || router_owns(host->router, slice))
		return 0;
	if (router_own(host->router, addr) == -1)
		return hm_fail(err, ENOMEM, "no memory");
	return 0;
}

/* Every address that is ours, the id first. */
static int
own_all(struct hm_host *host, const struct hm_host_config *config,
    const struct found *found, struct hm_error *err)
{
	const char *const *as;
	char loopback[HM_ADDR_SIZE];
	struct hm_addr addr;
	size_t i;

	for (as = config->as; as != NULL && *as != NULL; as++) {
		if (known_as(*as, found, &addr, err) == -1 ||
		    own(host, addr.text, err) == -1)
			return -1;
	}
	if (found->id != NULL && own(host, found->id->text, err) == -1)
		return -1;
	if (own(host, host->frontend, err) == -1)
		return -1;
	for (i = 0; i < found->n; i++) {
		(void)snprintf(
		    loopback, sizeof loopback, "%s", found->at[i].text);
		if (found->at[i].wildcard)
			(void)snprintf(loopback, sizeof loopback,
			    "tcp:127.0.0.1%s", strrchr(found->at[i].text, ':'));
		if (own(host, loopback, err) == -1)
			return -1;
	}
	if (router_id(host->router)[0] == '\0')
		return hm_fail_kind(err, HM_ERR_INVALID, EINVAL,
		    "no address for ids: tell one with --as");
	return 0;
}

static int
listen_behind(struct hm_host *host, const struct hm_host_config *config,
    struct hm_error *err)
{
	char text[HM_ADDR_SIZE + 2] = "unix";
	struct hm_addr addr, got;

	if (config->backend != NULL && strcmp(config->backend, "unix") != 0)
		(void)snprintf(text, sizeof text, "%s", config->backend);
	else if (host->frontend[0] != '\0')
		(void)snprintf(text, sizeof text, "%s-b", host->frontend);
	if (serve(host, config, text, 0600, &addr, &got, err) == -1)
		return -1;
	memcpy(host->backend, got.text, sizeof host->backend);
	return own(host, got.text, err);
}

/* "[ADDR=]VIA" */
static int
add_route(struct hm_host *host, const char *text, struct hm_error *err)
{
	const char *via = strchr(text, '=');
	char addr[HM_ADDR_SIZE];
	struct hm_addr from, to;

	if (via != NULL) {
		(void)snprintf(
		    addr, sizeof addr, "%.*s", (int)(via - text), text);
		if (hm_addr_parse(&from, addr, HM_ADDR_RESOLVE, err) == -1)
			return -1;
	}
	if (hm_addr_parse(
		&to, via == NULL ? text : via + 1, HM_ADDR_RESOLVE, err) == -1)
		return -1;
	if (router_route(
		host->router, via == NULL ? NULL : from.text, to.text) == -1)
		return hm_fail(err, ENOMEM, "no memory");
	return 0;
}

int
host_listen(struct hm_host *host, const struct hm_host_config *config,
    struct hm_error *err)
{
	struct found found;
	const char *const *p;

	memset(&found, 0, sizeof found);
	for (p = config->listen; *p != NULL; p++) {
		if (listen_on(host, config, *p, &found, err) == -1)
			return -1;
	}
	if (own_all(host, config, &found, err) == -1 ||
	    listen_behind(host, config, err) == -1)
		return -1;
	if (config->replace && host->dir[0] != '\0')
		host_remove_leftovers(host->dir);
	if (host->frontend[0] == '\0')
		memcpy(host->frontend, router_id(host->router),
		    sizeof host->frontend);
	for (p = config->routes; p != NULL && *p != NULL; p++) {
		if (add_route(host, *p, err) == -1)
			return -1;
	}
	return 0;
}
