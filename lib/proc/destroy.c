/*
 * The end of all actors of a proc, within one time in all: the coordinator goes
 * after the others, so that it hears of them, and whoever asks for it last.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "proc/proc_private.h"

/* The roots that are to end, held. */
struct victims {
	struct hm_actor **roots;
	size_t n;
	const struct hm_actor *last;   /* the coordinator's; NULL: none */
	const struct hm_actor *caller; /* left alone; NULL: none */
};

static struct hm_actor *
root_of(struct hm_actor *actor)
{
	while (actor != NULL && actor->parent != NULL)
		actor = actor->parent;
	return actor == NULL || actor->phase == PHASE_OVER ? NULL : actor;
}

static int
gather(struct victims *victims, struct hm_proc *proc, struct hm_destroyed *done,
    struct hm_error *err)
{
	struct hm_actor *root;
	size_t n = 1;

	for (root = proc->first; root != NULL; root = root->next)
		n++;
	memset(done, 0, sizeof *done);
	victims->n = 0;
	victims->roots = malloc(n * sizeof(struct hm_actor *));
	done->stopped = malloc(n * sizeof *done->stopped);
	done->left = malloc(n * sizeof *done->left);
	if (victims->roots == NULL || done->stopped == NULL ||
	    done->left == NULL) {
		free(victims->roots);
		hm_destroyed_fini(done);
		return hm_fail(err, ENOMEM, "no memory");
	}
	for (root = proc->first; root != NULL; root = root->next) {
		if (root->kind != KIND_ACTOR && root->kind != KIND_INVERTED)
			continue;
		hm_actor_hold(root);
		victims->roots[victims->n++] = root;
	}
	return 0;
}

/* Is it among those of this round? */
static bool
in_round(const struct victims *victims, const struct hm_actor *root, bool last)
{
	return root != victims->caller && (root == victims->last) == last;
}

static void
stop_round(const struct victims *victims, bool last, const char *reason)
{
	size_t i;

	for (i = 0; i < victims->n; i++) {
		if (in_round(victims, victims->roots[i], last) &&
		    victims->roots[i]->phase != PHASE_OVER &&
		    hm_actor_stop(victims->roots[i], reason) == -1)
			(void)hm_actor_abort(victims->roots[i], reason);
	}
}

static void
wait_round(const struct victims *victims, bool last, struct hm_loop *loop,
    uint64_t end)
{
	uint64_t now;
	size_t i = 0;

	while (i < victims->n) {
		if (!in_round(victims, victims->roots[i], last) ||
		    victims->roots[i]->phase == PHASE_OVER) {
			i++;
			continue;
		}
		now = hm_loop_now(loop);
		if (now >= end ||
		    hm_loop_turn(loop, sys_poll_ms(end - now)) == -1)
			return;
	}
}

static void
end_round(const struct victims *victims, bool last, const char *reason,
    struct hm_destroyed *done)
{
	struct hm_actor *root;
	size_t i;

	for (i = 0; i < victims->n; i++) {
		root = victims->roots[i];
		if (!in_round(victims, root, last))
			continue;
		if (root->phase == PHASE_OVER) {
			hm_actor_get_id(root, &done->stopped[done->nstopped++]);
		} else {
			hm_actor_get_id(root, &done->left[done->nleft++]);
			(void)hm_actor_abort(root, reason);
		}
	}
}

int
hm_proc_destroy(struct hm_proc *proc, uint64_t timeout, const char *reason,
    struct hm_actor *caller, bool spare, struct hm_destroyed *done,
    struct hm_error *err)
{
	uint64_t end = hm_loop_now(proc->loop) + timeout;
	struct victims victims;
	struct hm_actor *own = root_of(caller);
	size_t i;
	int round;

	if (gather(&victims, proc, done, err) == -1)
		return -1;
	victims.caller = own;
	victims.last = root_of(proc->coordinator);
	for (round = 0; round < 2; round++) {
		stop_round(&victims, round == 1, reason);
		wait_round(&victims, round == 1, proc->loop, end);
		end_round(&victims, round == 1, reason, done);
	}
	if (own != NULL && !spare) {
		hm_actor_get_id(own, &done->left[done->nleft++]);
		(void)hm_actor_abort(own, reason);
	}
	for (i = 0; i < victims.n; i++)
		hm_actor_drop(victims.roots[i]);
	free(victims.roots);
	return 0;
}

void
hm_destroyed_fini(struct hm_destroyed *done)
{
	free(done->stopped);
	free(done->left);
	memset(done, 0, sizeof *done);
}
