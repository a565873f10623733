/*
 * What all handles and managers have in common.  A manager of another kind (in
 * this process, scripted for a test) embeds these and fills the operations.
 */
#ifndef HM_HANDLE_H
#define HM_HANDLE_H

#include <hostmux/manager.h>

struct handle_ops {
	/* The handle is not terminal; its own part of the ladder.  -1 with
	 * errno.  NULL: unsupported. */
	int (*terminate)(
	    struct hm_handle *handle, uint64_t timeout, const char *reason);
	int (*kill)(struct hm_handle *handle, const char *reason);
	void (*signal)(struct hm_handle *handle, int sig);
	void (*unheard)(struct hm_handle *handle);
	void (*bound)(struct hm_handle *handle, const struct hm_error *why);
	void (*put_tail)(
	    const struct hm_handle *handle, struct hm_json_out *out);
	struct hm_proc *(*proc)(const struct hm_handle *handle);
	const struct hm_destroyed *(*destroyed)(const struct hm_handle *handle);
	void (*free)(struct hm_handle *handle);
};

struct hm_handle {
	const struct handle_ops *ops;
	struct hm_manager *manager;
	struct hm_handle *next;
	struct hm_id id;
	struct hm_status status;
	struct hm_waiter *waiters;
	struct hm_waiter *telling; /* off the list, about to be called */
	struct hm_waiter *warned;  /* the next to hear that it is stuck */
	struct hm_error failure;   /* code 0: none */
	bool was_ready;
	bool lost;     /* nothing more is seen of it */
	bool gone;     /* forgotten, and freed when nobody is in a call of it */
	unsigned held; /* calls that are about it */
	void *arg;
};

struct manager_ops {
	enum hm_transport transport;
	struct hm_handle *(*spawn)(struct hm_manager *manager,
	    const struct hm_spawn *spawn, struct hm_error *err);
	void (*reap)(struct hm_manager *manager);
	bool (*busy)(const struct hm_manager *manager);
	void (*free)(struct hm_manager *manager);
};

struct hm_manager {
	const struct manager_ops *ops;
	struct hm_loop *loop;
	struct hm_handle *handles; /* in the order they were spawned */
	struct hm_handle **end;
	unsigned forgotten; /* handles, so that a walk knows */
	bool ending;
	struct hm_manager_user user;
	struct bulk *bulks;
};

void manager_init(struct hm_manager *manager, const struct manager_ops *ops,
    struct hm_loop *loop);
/* Frees the handles and what waits for them. */
void manager_fini(struct hm_manager *manager);

/* Zeroed but for what is derived from it: enters the manager's list. */
void handle_enter(struct hm_handle *handle, const struct handle_ops *ops,
    struct hm_manager *manager, const struct hm_spawn *spawn);
/* While it is held its struct stays, also when it is forgotten. */
void handle_hold(struct hm_handle *handle);
void handle_drop(struct hm_handle *handle);
/*
 * The status becomes next and everybody is told, the bookkeeping of ends
 * included; an illegal change is logged and leaves it: -1.
 */
int handle_change(struct hm_handle *handle, const struct hm_status *next);
/* Stopping, because somebody asked for the end (or not), if it is not that. */
void handle_stopping(struct hm_handle *handle, bool asked, const char *reason);
/* Its status is not seen any more: who waits is told so, and will not be told
 * anything else. */
void handle_lose(struct hm_handle *handle);
/* Tells who waits for the end that it does not come. */
void handle_stuck(struct hm_handle *handle, const char *why);
void bulks_free(struct hm_manager *manager);
/* handle, which has ended, is about to be freed. */
void bulks_forget(struct hm_manager *manager, const struct hm_handle *handle);

#endif
