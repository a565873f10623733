/*
 * A host in a program, with procs of both kinds side by side: "in" lives in
 *this process and answers in capitals, "out" is what CMD boots.
 *
 *	cc both.c $(pkg-config --cflags --libs hostmux) -o both
 *	./both ./echo
 */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include <hostmux/hostmux.h>

static int
capitals(struct hm_actor *self, struct hm_envelope *msg)
{
	const char *text = hm_payload(msg);
	char answer[80];
	size_t i, len = hm_payload_len(msg);

	if (len > sizeof answer)
		return hm_refuse(self, "not more than %zu", sizeof answer);
	for (i = 0; i < len; i++)
		answer[i] = (char)toupper((unsigned char)text[i]);
	return hm_reply(self, msg, answer, len);
}

/* What is in each proc of this process. */
static int
begin(void *arg, struct hm_proc *proc, const struct hm_spawn *how,
    struct hm_error *err)
{
	(void)arg, (void)how;
	return hm_proc_spawn(proc, "main", capitals, NULL, err) ? 0 : -1;
}

static void
on_child(void *arg, int sig)
{
	(void)sig;
	hm_manager_reap(arg);
}

/* A host over both managers, which are its own from then on. */
static struct hm_host *
serve(
    struct hm_loop *loop, struct hm_manager *managers[3], struct hm_error *err)
{
	const struct hm_local_config inside = {begin, NULL, 5000};
	const struct hm_process_config outside = {NULL, true, NULL, NULL};
	const char *const listen[] = {"unix", NULL};
	const struct hm_host_config config = {
	    .listen = listen, .timeout = 5000, .managers = managers};
	struct hm_host *host = NULL;
	sigset_t child;

	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	managers[0] = hm_local_manager_new(loop, &inside, err);
	managers[1] = hm_process_manager_new(loop, &outside, err);
	managers[2] = NULL;
	if (managers[0] != NULL && managers[1] != NULL) {
		if (hm_loop_signals(loop, &child, on_child, managers[1]) == 0)
			host = hm_host_new(loop, &config, err);
		else
			(void)hm_fail(err, errno, "SIGCHLD is not to be had");
	}
	if (host == NULL) {
		hm_manager_free(managers[1]);
		hm_manager_free(managers[0]);
	}
	return host;
}

static int
ask(struct hm_host *host, const char *name, struct hm_error *err)
{
	struct hm_actor *client =
	    hm_proc_instance(hm_host_local_proc(host), name, err);
	struct hm_envelope *answer = NULL;
	struct hm_id dest;

	hm_id_set(&dest, hm_host_id(host), name, "main", 0, HM_PORT_DEFAULT);
	if (client != NULL)
		answer = hm_call(client, &dest, "hello", 5, 5000, err);
	if (answer == NULL)
		return -1;
	(void)printf("%s: %.*s\n", name, (int)hm_payload_len(answer),
	    (const char *)hm_payload(answer));
	hm_envelope_free(answer);
	hm_actor_free(client);
	return 0;
}

static int
run(struct hm_host *host, struct hm_manager *const managers[3],
    const struct hm_spawn *cmd, struct hm_error *err)
{
	struct hm_summary sum;

	if (hm_host_spawn(host, managers[0], "in", NULL, err) == NULL ||
	    hm_host_spawn(host, managers[1], "out", cmd, err) == NULL ||
	    ask(host, "in", err) == -1 || ask(host, "out", err) == -1 ||
	    hm_host_terminate_children(host, 5000, 64, "done", &sum, err) == -1)
		return -1;
	(void)printf("attempted=%u ok=%u failed=%u\n", sum.attempted, sum.ok,
	    sum.failed);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct hm_spawn cmd = {
	    .argv = argv + 1, .in = -1, .ready_timeout = 10000};
	struct hm_manager *managers[3];
	struct hm_error err;
	struct hm_loop *loop = hm_loop_new(NULL, &err);
	struct hm_host *host = NULL;
	int status = 0;

	if (argc < 2)
		return 2;
	if (loop != NULL)
		host = serve(loop, managers, &err);
	if (host == NULL || run(host, managers, &cmd, &err) == -1)
		status = hm_error_exit(&err, "both");
	hm_host_free(host); /* and what it has spawned */
	hm_loop_free(loop);
	return status;
}
