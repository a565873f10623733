/*
 * Channels: one way for envelopes, from whoever dials an address to the one
 * that serves it, whatever their destinations are.  Unix, TCP and local ones
 * behave alike; "local:N" is inside this process, between users of one loop,
 * and has no socket.
 *
 * What is posted is settled as everywhere: once, as delivered when the receiver
 * has taken it, or it comes back.
 */
#ifndef HOSTMUX_CHANNEL_H
#define HOSTMUX_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include <hostmux/addr.h>
#include <hostmux/envelope.h>
#include <hostmux/error.h>
#include <hostmux/limits.h>
#include <hostmux/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Whatever takes envelopes on their way: a channel, a proc, a host, the one
 * that knows no way, or one of the caller's, which fills in the functions.
 * Where a forwarder or a default is wanted any of them will do.
 */
struct hm_sender {
	/*
	 * Takes env on success: one that came from somewhere goes back there
	 * (hm_settle), one that was made here comes back to who posts.  -1
	 * with errno and env still the caller's: ENOMEM, EINVAL (it has no
	 * sender), and if checked EAGAIN, no room.  Called while records are
	 * read: it turns no loop, and frees nothing that passes messages.
	 */
	int (*post)(
	    struct hm_sender *sender, struct hm_envelope *env, bool checked);
	/* The takers are asked to settle what was posted so far at once. */
	void (*flush)(struct hm_sender *sender);
};

/* EAGAIN when there is no room: try again when something was settled. */
int hm_sender_post(struct hm_sender *sender, struct hm_envelope *env);
/* The same without the bound. */
int hm_sender_post_unchecked(struct hm_sender *sender, struct hm_envelope *env);
void hm_sender_flush(struct hm_sender *sender);
/* Returns everything as "not sent: unroutable"; what was made here and belongs
 * to nobody is dropped.  Not to be freed. */
struct hm_sender *hm_sender_unroutable(void);

/* What a receiver does with a message: as a handler (hostmux/proc.h), HM_TAKEN,
 * HM_NO, or HM_LATER, having kept it for hm_settle. */
typedef int hm_take(void *arg, struct hm_envelope *env);

struct hm_receiver;
/*
 * Serves addr ("unix", "tcp:127.0.0.1:0", "local", …); the one listened on is
 * in *got (may be NULL).  take is called in turns of the loop.  limits may be
 * NULL.  NULL with a sentence (EADDRINUSE, …).  Whoever can open a Unix socket,
 * own uid or root, or reach a TCP port, may send, under any name.
 */
struct hm_receiver *hm_receiver_new(struct hm_loop *loop, const char *addr,
    const struct hm_limits *limits, hm_take *take, void *arg,
    struct hm_addr *got, struct hm_error *err);
/* Stops, and takes what has come first; what it kept (HM_LATER) is to be
 * settled before that: who posted hears "unknown" of the rest, which hm_settle
 * only frees then.  Not from inside take.  NULL is harmless. */
void hm_receiver_free(struct hm_receiver *receiver);

enum hm_channel_state { HM_CHANNEL_ACTIVE, HM_CHANNEL_CLOSED };

struct hm_channel;
/*
 * Dials addr and waits in turns of the loop until it has greeted, at most
 * timeout ms (0: 5 s).  limits may be NULL.  NULL with kind CHANNEL.
 */
struct hm_channel *hm_channel_dial(struct hm_loop *loop, const char *addr,
    const struct hm_limits *limits, uint64_t timeout, struct hm_error *err);
/* Says BYE in order, at most 1 s.  What is unsettled then comes back no more.
 * Also from inside what the channel calls.  NULL is harmless. */
void hm_channel_free(struct hm_channel *channel);
/* To post to; it lives as long as the channel. */
struct hm_sender *hm_channel_sender(struct hm_channel *channel);
/* Messages posted and not settled yet. */
size_t hm_channel_unsettled(const struct hm_channel *channel);
/* In *why (may be NULL) what closed it. */
enum hm_channel_state hm_channel_state(
    const struct hm_channel *channel, const char **why);

/* What a channel calls; any may be NULL. */
struct hm_channel_events {
	/* env was posted here first, and came back with its errors; borrowed.
	 */
	void (*returned)(void *arg, struct hm_envelope *env);
	/* Something was settled: there may be room. */
	void (*progress)(void *arg);
	/* It has closed; after what was unsettled has come back. */
	void (*closed)(void *arg, const char *why);
	void *arg;
};
void hm_channel_on(
    struct hm_channel *channel, const struct hm_channel_events *events);

#ifdef __cplusplus
}
#endif
#endif
