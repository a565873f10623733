/*
 * The frames that the bare relay routes: a head, the name of who it is for,
 * the name of who it is from, the payload.  In the order of bytes of this
 * machine, unchecked, unsettled: it is the floor.
 */
#ifndef BENCH_FRAME_H
#define BENCH_FRAME_H

#include <stdint.h>
#include <string.h>

enum {
	FRAME_NAME = 1, /* whoever sent this is called "from" */
	FRAME_DATA
};

struct frame {
	uint32_t len; /* of all of it */
	uint16_t kind;
	uint8_t to, from; /* lengths of the names */
};

#define FRAME_ROOM 160 /* of a head and its names */

/* Writes the head and the names into buf; returns their length. */
static inline size_t
frame_head(
    char *buf, uint16_t kind, const char *to, const char *from, size_t payload)
{
	struct frame frame = {0, kind, 0, 0};
	size_t n;

	frame.to = (uint8_t)strlen(to);
	frame.from = (uint8_t)strlen(from);
	n = sizeof frame + frame.to + frame.from;
	frame.len = (uint32_t)(n + payload);
	memcpy(buf, &frame, sizeof frame);
	memcpy(buf + sizeof frame, to, frame.to);
	memcpy(buf + sizeof frame + frame.to, from, frame.from);
	return n;
}

#endif
