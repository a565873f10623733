/*
 * An outbox: what msg-send and msg-call share.  It has their options, knows
 * whom they send to, reads what they send, and keeps account of what failed.
 */
#ifndef HM_OUTBOX_H
#define HM_OUTBOX_H

#include "tool/client.h"
#include "tool/pool.h"
#include "tool/reader.h"
#include "tool/template.h"
#include "tool/writer.h"

struct outbox {
	struct tool *tool;

	struct client client;
	struct template template;
	bool spread, wait;
	int returned_fd; /* -1: none */
	struct writer returned;
	struct pool pool;
	struct reader reader;
	bool reading;	 /* stdin may have more */
	uint64_t number; /* of the message read last, from 1 */
	uint64_t failed;
	int status;		 /* of reading or of --returned going wrong */
	struct hm_actor *actor;	 /* "main" */
	void (*pump)(void *arg); /* there is something to do */
	void *arg;
};

/* What both have; the outbox is the first member of what options are read
 * into. */
extern const struct tool_option outbox_options[];

void outbox_init(struct outbox *outbox, struct tool *tool);
/*
 * Takes part in the host, finds whom argv[0] means and gets ready to read.
 * pump(arg) is called when there is room again, more to read, or the returned
 * could be written; answer gets messages (NULL: they are refused), arg is the
 * actor's too.  0, or what to exit with (said already).
 */
int outbox_open(struct outbox *outbox, char **argv, hm_handler *answer,
    void (*pump)(void *arg), void *arg);
/* Closes it: what to exit with, if status, of what was under way, is 0. */
int outbox_finish(struct outbox *outbox, int status);
/*
 * The next message: true, or false when there is none now; pump is called when
 * there may be, unless outbox->reading has become false: that was all.  Of one
 * that is too long text->p is NULL and err says so.
 */
bool outbox_next(
    struct outbox *outbox, struct hm_slice *text, struct hm_error *err);
/* Has everything been written that came back? */
bool outbox_settled(const struct outbox *outbox);
/* Says that a message to dest (NULL: none yet) failed, and counts it.  number:
 * 0 if it is not known. */
void outbox_failed(struct outbox *outbox, uint64_t number,
    const struct hm_id *dest, enum hm_outcome kind, const char *why);
/* For what came back: the error that decides, and env to --returned. */
void outbox_returned(struct outbox *outbox, const struct hm_envelope *env,
    enum hm_outcome *kind, char why[HM_ERROR_TEXT]);

#endif
