/*
 * MODE, the payload of the boot protocol: what a spawner tells the child about
 * itself, base64 of a JSON object in one variable.  Both sides use this pair.
 */
#ifndef HM_PAYLOAD_H
#define HM_PAYLOAD_H

#include <hostmux/addr.h>
#include <hostmux/error.h>
#include <hostmux/id.h>
#include <hostmux/limits.h>

#define BOOT_PROC_ID "HYPERACTOR_HOST_PROC_ID"
#define BOOT_BACKEND "HYPERACTOR_HOST_BACKEND_ADDR"
#define BOOT_CALLBACK "HYPERACTOR_HOST_CALLBACK_ADDR"
#define BOOT_MODE "HYPERACTOR_MESH_BOOTSTRAP_MODE"
#define BOOT_HOST "HYPERACTOR_HOST_ADDR"
#define BOOT_RANK "HYPERACTOR_PROC_RANK"
#define BOOT_COUNT "HYPERACTOR_PROC_COUNT"
#define BOOT_LOG "BOOTSTRAP_LOG_CHANNEL"

#define PAYLOAD_TOKEN 65 /* 32 hex digits now; room for twice as many */

struct payload {
	char proc_id[HM_ID_TEXT];
	char backend_addr[HM_ADDR_SIZE];
	char callback_addr[HM_ADDR_SIZE];
	char token[PAYLOAD_TOKEN];
	char socket_dir[HM_ADDR_SIZE]; /* where to serve; "" anywhere */
};

/*
 * Where the proc of a token serves in dir, a Unix directory: both sides know,
 * so that the spawner can remove what a child that was killed left.  -1 when
 * the path would be too long.
 */
int payload_socket(const char *dir, const char *token, char addr[HM_ADDR_SIZE]);
/* The value of MODE (free it); config: KEY, VALUE, …, NULL, or NULL.  NULL:
 * ENOMEM. */
char *payload_encode(const struct payload *payload, const char *const *config);
/*
 * Reads text, the value of MODE, and puts its config over *limits (may be
 * NULL).  -1 with kind INVALID: "parameter 'HYPERACTOR_MESH_BOOTSTRAP_MODE'
 * invalid: …" (ids and addresses are checked).
 */
int payload_decode(const char *text, struct payload *payload,
    struct hm_limits *limits, struct hm_error *err);

#endif
