/*
 * A request over control, private to lib/host.
 */
#ifndef HM_CONTROL_H
#define HM_CONTROL_H

#include "host/host_private.h"

/* What an operation returns beside -1. */
#define CONTROL_ANSWER 0 /* out holds the members of the answer */
#define CONTROL_SILENT 1 /* answered already, or not at all */
#define CONTROL_KEPT 2	 /* the message is somebody else's now */

struct request {
	struct hm_host *host;
	struct hm_envelope *msg;
	struct hm_json *json;
	struct entry *asker; /* NULL: not behind a name of ours */
	struct hm_id reply_to;
	bool replies;
	struct hm_json_out out;
	struct hm_error err;
};

/* "names": an array of strings, whose elements are names.  -1 if it is not;
 * NULL in *names if it is missing. */
int request_names(struct request *req, const struct hm_json **names);
/* "name": of a living entry; NULL and the error of the request. */
struct entry *request_living(struct request *req);
/* The same, and the asker owns it. */
struct entry *request_owned(struct request *req);

/* naming.c */
int op_reserve(struct request *req);
int op_bind(struct request *req);
int op_unbind(struct request *req);
/* "status" with "set". */
int op_set_status(struct request *req, const struct hm_json *set);

#endif
