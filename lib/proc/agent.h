/*
 * The agent: the actor that every proc has for those who manage it.
 */
#ifndef HM_AGENT_H
#define HM_AGENT_H

#include <stdbool.h>

#include <hostmux/json.h>
#include <hostmux/proc.h>

/*
 * Spawns actor "agent" in proc.  It answers echo (its own actor id), ping,
 * introspect, and stop, which only its own uid or root may ask for, and not
 * from another machine.  0 or -1 with kind AGENT.
 */
int hm_agent_install(struct hm_proc *proc, struct hm_error *err);
/* Its handler, for an actor that answers these too. */
int hm_agent_handle(struct hm_actor *self, struct hm_envelope *msg);
/* What msg says; NULL: it is no JSON, or there is no memory. */
struct hm_json *hm_agent_json(const struct hm_envelope *msg);
/*
 * Posts out, an object that is ended here, from actor, bounded if checked
 * (hm_post); out is taken in any case.  0, or -1 with errno.
 */
int hm_post_json(struct hm_actor *actor, const struct hm_id *dest,
    const struct hm_id *reply_to, struct hm_json_out *out, bool checked);
/* Is msg from the own uid or root, on this machine? */
bool hm_agent_trusts(const struct hm_envelope *msg);

#endif
