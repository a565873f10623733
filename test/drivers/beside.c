/*
 * Procs beside another: their names, their messages, and who has none.
 */
#include "hosted.h"

static void
refused(struct hm_proc *proc, const char *name, enum hm_error_kind kind)
{
	CHECK(hm_proc_beside(proc, name, &err) == NULL && err.kind == kind);
}

/* Each reaches the other and both are reached from elsewhere; the name is free
 * when the proc is freed, and nobody else's before. */
static void
test_beside(struct hm_proc *proc, struct hm_proc *elsewhere)
{
	struct hm_proc *other = hm_proc_beside(proc, "other", &err);
	struct hm_actor *client, *far;
	struct hm_id dest, back;

	CHECK(other != NULL);
	CHECK(strcmp(hm_proc_id(other)->addr, hm_proc_id(proc)->addr) == 0);
	CHECK(hm_proc_loop(other) == hm_proc_loop(proc));
	refused(proc, "other", HM_ERR_EXISTS);
	refused(other, hm_proc_id(proc)->proc, HM_ERR_EXISTS);
	refused(proc, "no name", HM_ERR_INVALID);
	hm_port_id(hm_proc_spawn(other, "main", answer, NULL, &err), 0, &dest);
	hm_port_id(hm_proc_spawn(proc, "main", answer, NULL, &err), 0, &back);
	client = instance(proc, "client");
	answers(client, &dest, "there", "there");
	hm_actor_free(client);
	client = instance(other, "client");
	answers(client, &back, "and back", "and back");
	if (elsewhere != NULL) {
		far = instance(elsewhere, "far");
		answers(far, &dest, "from far", "from far");
		hm_id_set(&back, hm_proc_id(elsewhere)->addr,
		    hm_proc_id(elsewhere)->proc, "main", 0, 0);
		answers(client, &back, "to far", "to far");
		hm_actor_free(far);
	}
	hm_proc_free(other); /* and the client in it */
	other = hm_proc_beside(proc, "other", &err);
	CHECK(other != NULL);
	hm_proc_free(other);
}

static void
test_attached(void)
{
	struct hm_attach attach;
	struct hm_proc *proc;

	memset(&attach, 0, sizeof attach);
	attach.host = hm_host_frontend(host);
	proc = hm_proc_attach(loop, &attach, &err);
	CHECK(proc != NULL);
	refused(proc, "other", HM_ERR_INVALID);
	hm_proc_free(proc);
}

int
main(void)
{
	char addr[sizeof dir + 16];
	struct hm_proc *direct, *local;

	begin();
	serve(NULL, NULL);
	(void)snprintf(addr, sizeof addr, "unix:%s/direct", dir);
	direct = hm_proc_direct(loop, addr, "direct", NULL, &err);
	CHECK(direct != NULL);
	CHECK(hm_proc_spawn(direct, "main", answer, NULL, &err) != NULL);
	test_beside(hm_host_local_proc(host), direct);
	local = hm_proc_local(loop, &err);
	CHECK(local != NULL);
	test_beside(local, NULL);
	hm_proc_free(local);
	hm_actor_free(hm_proc_actor(direct, "main"));
	CHECK(hm_proc_spawn(hm_host_system_proc(host), "main", answer, NULL,
		  &err) != NULL);
	test_beside(direct, hm_host_system_proc(host));
	hm_proc_free(direct);
	test_attached();
	end();
	return 0;
}
