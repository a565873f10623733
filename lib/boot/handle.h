/*
 * What all handles and managers have in common.  A manager of another kind (in
 * this process, scripted for a test) embeds these and fills the operations.
 */
#ifndef HM_HANDLE_H
#define HM_HANDLE_H

#include <hostmux/manager.h>

struct handle_ops {
	/* The handle is not terminal; its own part of the ladder. */
	void (*terminate)(
	    struct hm_handle *handle, uint64_t timeout, const char *reason);
	void (*kill)(struct hm_handle *handle, const char *reason);
	void (*signal)(struct hm_handle *handle, int sig);
	void (*unheard)(struct hm_handle *handle);
	void (*bound)(struct hm_handle *handle, const struct hm_error *why);
	void (*put_tail)(
	    const struct hm_handle *handle, struct hm_json_out *out);
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
	struct hm_error failure;   /* code 0: none */
	bool was_ready;
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
	struct bulk *bulks;
};

void manager_init(struct hm_manager *manager, const struct manager_ops *ops,
    struct hm_loop *loop);
/* Frees the handles and what waits for them. */
void manager_fini(struct hm_manager *manager);

/* Zeroed but for what is derived from it: enters the manager's list. */
void handle_enter(struct hm_handle *handle, const struct handle_ops *ops,
    struct hm_manager *manager, const struct hm_spawn *spawn);
/*
 * The status becomes next and everybody is told, the bookkeeping of ends
 * included; an illegal change is logged and leaves it: -1.
 */
int handle_change(struct hm_handle *handle, const struct hm_status *next);
/* Tells who waits for the end that it does not come. */
void handle_stuck(struct hm_handle *handle, const char *why);
void bulks_free(struct hm_manager *manager);
/* handle, which has ended, is about to be freed. */
void bulks_forget(struct hm_manager *manager, const struct hm_handle *handle);

#endif
