/*
 * CHECK says where and what failed, and ends the driver with 1; a driver that
 * is content says nothing.  A fuzz target aborts: a finding.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef CHECK_END
#define CHECK_END exit(1)
#endif

#define CHECK(what)                                                            \
	do {                                                                   \
		if (!(what)) {                                                 \
			fprintf(                                               \
			    stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
			CHECK_END;                                             \
		}                                                              \
	} while (0)

/* The same sequence in every run: below n. */
static inline unsigned
check_random(unsigned n)
{
	static uint64_t x = 0x9e3779b97f4a7c15u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (unsigned)((x >> 11) % n);
}

#endif
