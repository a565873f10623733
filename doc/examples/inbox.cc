/*
 * From C++: a client of its own proc, which posts to itself and receives.
 *
 *	c++ inbox.cc $(pkg-config --cflags --libs hostmux) -o inbox
 */
#include <cstdio>
#include <cstring>
#include <string>

#include <hostmux/hostmux.h>

int
main()
{
	hm_error err;
	hm_proc *proc = hm_proc_local(nullptr, &err);
	hm_actor *self =
	    proc == nullptr ? nullptr : hm_proc_instance(proc, "self", &err);
	const std::string text = "hello from C++";
	hm_draft draft{};
	hm_id dest;

	if (self == nullptr)
		return hm_error_exit(&err, "inbox");
	hm_port_id(self, HM_PORT_DEFAULT, &dest);
	draft.dest = &dest;
	hm_envelope *msg =
	    hm_envelope_new(&draft, text.data(), text.size(), &err);
	if (msg == nullptr || hm_post(self, msg) == -1)
		return 1;
	msg = hm_port_recv(self, HM_PORT_DEFAULT, 5000, &err);
	if (msg == nullptr)
		return hm_error_exit(&err, "inbox");
	std::printf("%.*s\n", static_cast<int>(hm_payload_len(msg)),
	    static_cast<const char *>(hm_payload(msg)));
	hm_settle(msg, HM_DELIVERED, nullptr);
	hm_actor_free(self);
	hm_proc_free(proc);
	return 0;
}
