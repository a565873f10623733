/*
 * Ids: ADDR,PROC  ADDR,PROC,ACTOR[INDEX]  ADDR,PROC,ACTOR[INDEX][PORT].
 * Printing and parsing are exact inverses; order is by component.
 */
#ifndef HOSTMUX_ID_H
#define HOSTMUX_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hostmux/addr.h>
#include <hostmux/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HM_NAME_MAX 64
#define HM_ID_TEXT (HM_ADDR_SIZE + 2 * (HM_NAME_MAX + 1) + 2 * 22 + 1)

enum hm_id_depth { HM_ID_PROC = 1, HM_ID_ACTOR, HM_ID_PORT };

/* Well-known ports. */
#define HM_PORT_DEFAULT 0
#define HM_PORT_UNDELIVERABLE 1
#define HM_PORT_INTROSPECT 2
#define HM_PORT_SIGNAL 3
#define HM_PORT_FIRST 1024 /* the first that open_port hands out */

struct hm_id {
	enum hm_id_depth depth;
	char addr[HM_ADDR_SIZE]; /* canonical text */
	char proc[HM_NAME_MAX + 1];
	char actor[HM_NAME_MAX + 1];
	uint64_t index;
	uint64_t port;
};

/* A name: 1..64 of [A-Za-z0-9_.-], first a letter, a digit or '_'. */
bool hm_name_valid(const char *name, size_t len);

/*
 * Reads a full id of any depth.  ACTOR alone is ACTOR[0].  0, or -1 with a
 * sentence (EINVAL): "id 'x': no proc name".
 */
int hm_id_parse(struct hm_id *id, const char *text, struct hm_error *err);
/*
 * Reads a destination: a full id, or PROC[,ACTOR[I][PORT]] on the host whose
 * id address is given.  What is missing becomes actor "main", index 0, port 0,
 * so the result has depth PORT.  A host name in it is resolved (may block).
 */
int hm_id_parse_dest(
    struct hm_id *id, const char *text, const char *host, struct hm_error *err);
/* Prints id to its depth into buf (HM_ID_TEXT is always enough); returns buf.
 */
char *hm_id_print(const struct hm_id *id, char *buf, size_t size);
/* <0, 0, >0; a shorter id goes before the ids it is a prefix of. */
int hm_id_compare(const struct hm_id *a, const struct hm_id *b);
bool hm_id_is_prefix(const struct hm_id *prefix, const struct hm_id *id);
/* addr and proc, actor and port as given; the caller has checked the names. */
void hm_id_set(struct hm_id *id, const char *addr, const char *proc,
    const char *actor, uint64_t index, uint64_t port);

#ifdef __cplusplus
}
#endif
#endif
