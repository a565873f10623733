/*
 * What one proc prints on one of its streams: read as it comes, handed on line
 * by line, the last lines kept.
 */
#ifndef HM_OUTPUT_H
#define HM_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hostmux/json.h>
#include <hostmux/loop.h>

/* A longer line is handed on in pieces of this size. */
#define OUTPUT_LINE_MAX 4096

struct kept;

struct output {
	struct hm_loop *loop;
	struct hm_watch watch; /* its fd is owned; -1 at the end */
	const char *stream;    /* "stdout" or "stderr" */
	/* Gets each line, without its newline; n counts from 1. */
	void (*line)(void *arg, const struct output *output, const char *text,
	    size_t len);
	void *arg;
	uint64_t n;	 /* lines so far */
	uint64_t *clock; /* of the proc: puts kept lines in order */
	struct kept *first, **end;
	size_t lines, bytes;
	size_t len; /* of the beginning of a line: */
	char part[OUTPUT_LINE_MAX];
};

/* Takes fd, nonblocking.  0, -1 (fd is closed). */
int output_start(struct output *output, int fd);
/* Reads what there is, without waiting, and stops. */
void output_finish(struct output *output);
void output_fini(struct output *output);
/* The kept lines of both streams of a proc, as they came, as elements of an
 * open array. */
void output_put_kept(const struct output *out, const struct output *err,
    struct hm_json_out *json);

#endif
