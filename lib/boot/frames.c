/*
 * --frames: CMD speaks for the proc itself.  Whole envelopes go to its
 * descriptor 3 and are taken from its descriptor 4: as JSON lines, or framed as
 * hostmux-protocol(7) says:
 *   u32 length of the head, head, payload (its length is in the head)
 *
 * What is on its way to CMD is a queue of frames, of which the first is being
 * written.  It holds at most one message, and what came back of those CMD sent:
 * these count as unsettled until CMD has them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/inlet.h"
#include "boot/outlet.h"
#include "boot/runner.h"
#include "wire/record.h"

#define LENGTH 4
/* What a JSON line may have beside its payload. */
#define LINE_ROOM 8192

struct frame {
	struct frame *next;
	struct hm_envelope *env;
	bool returned; /* else env is to be settled */
	char *line;    /* --json */
	size_t len;
	unsigned char length[LENGTH];
};

struct frames {
	struct runner *r;
	struct outlet out;
	struct inlet in;
	struct frame *first, **end;
};

static struct frame *
frame_new(struct hm_envelope *env, bool returned, bool json)
{
	struct frame *frame = calloc(1, sizeof *frame);
	struct hm_json_out out;

	if (frame == NULL)
		return NULL;
	frame->env = env;
	frame->returned = returned;
	hm_put32(frame->length, (uint32_t)env->head_len);
	if (!json)
		return frame;
	hm_json_out_init(&out);
	hm_envelope_print(env, &out);
	frame->line = hm_json_out_take(&out, &frame->len);
	if (frame->line != NULL) {
		frame->line[frame->len++] = '\n'; /* where the NUL was */
		return frame;
	}
	free(frame);
	return NULL;
}

/* The first frame has been written, or cannot be. */
static void
frame_done(struct frames *f, bool written)
{
	struct frame *frame = f->first;

	f->first = frame->next;
	if (f->first == NULL)
		f->end = &f->first;
	if (frame->returned) {
		runner_forget(f->r, frame->env);
		hm_envelope_free(frame->env);
	} else if (written) {
		hm_settle(frame->env, HM_DELIVERED, NULL);
	} else {
		runner_refuse(f->r, frame->env);
	}
	free(frame->line);
	free(frame);
}

static int
write_first(struct frames *f)
{
	struct frame *frame = f->first;
	struct iovec parts[3] = {{frame->line, frame->len}};

	if (frame->line != NULL)
		return outlet_write(&f->out, parts, 1);
	parts[0].iov_base = frame->length;
	parts[0].iov_len = LENGTH;
	parts[1].iov_base = frame->env->head;
	parts[1].iov_len = frame->env->head_len;
	parts[2].iov_base = frame->env->payload;
	parts[2].iov_len = frame->env->payload_len;
	return outlet_write(&f->out, parts, 3);
}

/* Writes what waits, as far as it goes. */
static void
flush(struct frames *f)
{
	int done = 1;

	while (f->first != NULL && !outlet_busy(&f->out)) {
		done = write_first(f);
		if (done == 0)
			break;
		frame_done(f, done == 1);
	}
	hm_actor_pause(f->r->main, f->first != NULL && !f->r->stopping);
	if (f->first == NULL && f->r->stopping)
		outlet_close(&f->out);
	runner_look(f->r);
}

static void pump(void *arg);

static void
on_written(void *arg)
{
	struct frames *f = arg;

	frame_done(f, f->out.fd != -1);
	flush(f);
	if (!f->in.watched) /* what came back, and is written, made room */
		pump(f);
}

static void
enqueue(struct frames *f, struct frame *frame)
{
	*f->end = frame;
	f->end = &frame->next;
	flush(f);
}

static int
frames_take(struct hm_actor *self, struct hm_envelope *msg)
{
	struct runner *r = hm_actor_arg(self);
	struct frame *frame = frame_new(msg, false, r->json);

	if (frame == NULL)
		return hm_refuse(self, "no memory");
	enqueue(r->state, frame);
	return HM_LATER;
}

/* The library frees what it shows: the frame gets the insides. */
static struct hm_envelope *
take_over(struct hm_envelope *env)
{
	struct hm_envelope *copy = hm_envelope_take_over(env);

	if (copy != NULL)
		copy->head[HM_HEAD_FLAGS] |= HM_ENV_RETURN;
	return copy;
}

static void
frames_returned(struct runner *r, struct hm_envelope *msg)
{
	struct frames *f = r->state;
	struct hm_envelope *copy;
	struct frame *frame;

	if (f->out.fd == -1 || (copy = take_over(msg)) == NULL) {
		runner_forget(r, msg);
		return;
	}
	frame = frame_new(copy, true, r->json);
	if (frame != NULL) {
		enqueue(f, frame);
	} else {
		runner_forget(r, copy);
		hm_envelope_free(copy);
	}
}

/* The bytes of one frame in the inlet; 0: not all are there; -1 with a
 * sentence: it cannot be one. */
static long
frame_size(const struct frames *f, struct hm_head *head, struct hm_error *err)
{
	const unsigned char *p = (const unsigned char *)inlet_bytes(&f->in);
	size_t len = inlet_size(&f->in);
	uint64_t max = f->r->limits.max_message;
	uint32_t n;

	if (len < LENGTH)
		return 0;
	n = hm_get32(p);
	if (n < HM_HEAD_MIN || n > HM_HEAD_MAX)
		return hm_fail(err, EPROTO, "a head of %" PRIu32 " bytes", n);
	if (len < LENGTH + n)
		return 0;
	if (hm_head_read(head, p + LENGTH, n, err) == -1)
		return -1;
	if (head->payload_len > max)
		return hm_fail(err, EMSGSIZE,
		    "message of %" PRIu64 " bytes, the largest is %" PRIu64,
		    head->payload_len, max);
	return len - LENGTH - n < head->payload_len
		   ? 0
		   : (long)(LENGTH + n + head->payload_len);
}

static struct hm_envelope *
read_frame(
    const struct frames *f, const struct hm_head *head, struct hm_error *err)
{
	const unsigned char *p = (const unsigned char *)inlet_bytes(&f->in);
	size_t len = (size_t)head->payload_len;
	struct hm_envelope *env =
	    hm_envelope_with_room(p + LENGTH, head->len, len);

	if (env == NULL ||
	    hm_envelope_set_sender(env, hm_actor_id(f->r->main)) == -1) {
		hm_envelope_free(env);
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	env->payload_len = len;
	if (len > 0)
		memcpy(env->payload, p + LENGTH + head->len, len);
	env->head[HM_HEAD_FLAGS] &= HM_ENV_NOW | HM_ENV_LASTING;
	if (env->head[HM_HEAD_TTL] == 0)
		env->head[HM_HEAD_TTL] = (unsigned char)f->r->limits.ttl;
	return env;
}

/* One message in the inlet and its bytes: 1, 0, or -1: what is there can never
 * be one. *env NULL: a line that is none, with a sentence. */
static int
next_frame(struct frames *f, struct hm_envelope **env, size_t *used,
    struct hm_error *err)
{
	struct hm_head head;
	long n = frame_size(f, &head, err);

	if (n <= 0)
		return (int)n;
	*used = (size_t)n;
	*env = read_frame(f, &head, err);
	return *env == NULL ? -1 : 1;
}

static int
next_line(struct frames *f, struct hm_envelope **env, size_t *used,
    struct hm_error *err)
{
	const char *line = inlet_bytes(&f->in);
	size_t len = inlet_size(&f->in);
	const char *newline = len > 0 ? memchr(line, '\n', len) : NULL;

	if (newline == NULL && len / 6 > f->r->limits.max_message + LINE_ROOM)
		return hm_fail(err, EMSGSIZE, "a line of over %zu bytes", len);
	if (newline == NULL && (f->in.fd != -1 || len == 0))
		return 0;
	*used = len;
	if (newline != NULL) {
		len = (size_t)(newline - line);
		*used = len + 1;
	}
	*env = hm_envelope_read(
	    line, len, f->r->to == NULL ? NULL : &f->r->dest, err);
	return 1;
}

/* 0, or -1 when the next message cannot be posted now. */
static int
take_frames(struct frames *f)
{
	struct hm_envelope *env = NULL;
	struct hm_error err;
	size_t used = 0;
	int got;

	while ((got = f->r->json ? next_line(f, &env, &used, &err)
				 : next_frame(f, &env, &used, &err)) == 1) {
		if (env == NULL) {
			hm_log(f->r->loop, HM_LOG_ERROR,
			    "CMD's descriptor 4: %s", err.text);
		} else if (runner_post(f->r, env, false) == -1) {
			hm_envelope_free(env);
			return -1;
		}
		f->in.start += used;
	}
	if (got == 0 && f->in.fd == -1 && inlet_size(&f->in) > 0)
		got = hm_fail(&err, EPROTO, "it ended within a frame");
	if (got == -1) {
		hm_log(f->r->loop, HM_LOG_ERROR, "CMD's descriptor 4: %s",
		    err.text);
		inlet_fini(&f->in); /* CMD sees that it is not heard */
	}
	return 0;
}

static void
pump(void *arg)
{
	struct frames *f = arg;
	int got, done;

	do {
		done = take_frames(f);
		got = done == 0 ? inlet_read(&f->in) : 0;
	} while (got == 1 && f->r->last);
	if (done == 0)
		done = take_frames(f);
	inlet_watch(&f->in, done == 0);
	runner_look(f->r);
}

static int
frames_start(struct runner *r, int *status, struct hm_error *err)
{
	struct frames *f = calloc(1, sizeof *f);
	struct spawn spawn;
	int theirs[2] = {-1, -1}, done = -1;

	if (f == NULL)
		return hm_fail(err, ENOMEM, "no memory");
	f->r = r;
	f->end = &f->first;
	r->state = f;
	memset(&spawn, 0, sizeof spawn);
	spawn.out = STDOUT_FILENO;
	spawn.err = STDERR_FILENO;
	spawn.extra = theirs;
	if (outlet_open(&f->out, r->loop, &theirs[0], on_written, f) == -1 ||
	    inlet_open(&f->in, r->loop, &theirs[1], pump, f) == -1)
		(void)hm_fail(err, errno, "pipe: %s", strerror(errno));
	else
		done = runner_start(r, &spawn, status, err);
	spawn_close(theirs[0]);
	spawn_close(theirs[1]);
	return done;
}

static void
frames_stop(struct runner *r)
{
	struct frames *f = r->state;

	if (r->ended) {
		outlet_close(&f->out);
		while (f->first != NULL)
			frame_done(f, false);
	} else if (f->first == NULL) {
		outlet_close(&f->out);
	}
}

static void
frames_progress(struct runner *r)
{
	struct frames *f = r->state;

	f->in.last = r->last;
	if (r->last || !f->in.watched)
		pump(f);
}

static bool
frames_dry(const struct runner *r)
{
	const struct frames *f = r->state;

	return f->in.fd == -1 && inlet_size(&f->in) == 0;
}

static void
frames_fini(struct runner *r)
{
	struct frames *f = r->state;

	while (f->first != NULL)
		frame_done(f, false);
	outlet_close(&f->out);
	inlet_fini(&f->in);
	free(f);
}

const struct mode mode_frames = {true, frames_take, frames_start, frames_stop,
    frames_progress, frames_dry, frames_fini, frames_returned};
