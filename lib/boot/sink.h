/*
 * Where the output of procs goes: files, a port, the caller's own stdout and
 * stderr.  Never waits; what does not fit is dropped, counted and said.
 */
#ifndef HM_SINK_H
#define HM_SINK_H

#include <hostmux/manager.h>

struct sink;

struct sinks {
	struct hm_loop *loop;
	struct hm_actor *from; /* posts log lines; set before the first line */
	struct sink *first;
};

/*
 * Is spec "file:PATH" (opened by sinks_add, appended to), "port:DEST", "-"
 * (stderr, prefixed), "stdout" (both: only with front) or "null"?  -1 with a
 * sentence (EINVAL).
 */
int sink_check(const char *spec, bool front, struct hm_error *err);
/* -1 with a sentence (the errno of open). */
int sinks_add(struct sinks *sinks, const char *spec, struct hm_error *err);
/* DEST of ports becomes an id on host.  -1 with a sentence. */
int sinks_resolve(struct sinks *sinks, const char *host, struct hm_error *err);
/* The first port's id, NULL if there is none. */
const char *sinks_channel(const struct sinks *sinks);
void sinks_line(
    struct sinks *sinks, const struct hm_id *proc, const struct hm_line *line);
/* A posted line came back. */
void sinks_returned(struct sinks *sinks, const struct hm_id *dest);
/* Is something waiting to be written? */
bool sinks_waiting(const struct sinks *sinks);
/* Says what was dropped and closes. */
void sinks_fini(struct sinks *sinks);

#endif
