/*
 * Connections that say nothing a host could understand: noise, a greeting cut
 * short, a header that promises gigabytes, a good greeting with noise behind
 * it, and silence.  garbage PATH COUNT [SEED]: COUNT of them to the socket
 * there, in turn, some held open beside the next ones.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "wire/record.h"

/* Held open at a time: under the 256 that may be ungreeted, and over it. */
#define HELD 300

static uint64_t state;

static unsigned
noise(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33);
}

static size_t
greeting(unsigned char *buf, const char *name)
{
	struct hm_hello hello;

	memset(&hello, 0, sizeof hello);
	hello.major = HM_WIRE_MAJOR;
	hello.kind = HM_HELLO_ATTACH;
	hello.session = noise() + 1u;
	hello.max_message = 1 << 20;
	hello.name.p = name;
	hello.name.n = strlen(name);
	return hm_hello_write(buf, HM_REC_HELLO, &hello);
}

static size_t
fill(unsigned char *buf, size_t max)
{
	size_t i, len = noise() % max;

	for (i = 0; i < len; i++)
		buf[i] = (unsigned char)noise();
	return len;
}

/* What one connection says. */
static size_t
nonsense(unsigned char *buf, size_t size, unsigned kind)
{
	struct hm_record rec;
	size_t len;

	switch (kind % 6) {
	case 0:
		return fill(buf, size);
	case 1: /* half a greeting */
		return greeting(buf, "") / 2;
	case 2: /* a body of 4 GiB */
		memset(&rec, 0, sizeof rec);
		rec.len = UINT32_MAX;
		rec.type = HM_REC_DATA;
		hm_record_header(buf, &rec);
		return HM_RECORD_HEADER;
	case 3: /* greeted, then noise */
		len = greeting(buf, "");
		return len + fill(buf + len, size - len);
	case 4: /* greeted, then half a record */
		len = greeting(buf, "");
		memset(&rec, 0, sizeof rec);
		rec.len = HM_BODY_MAX;
		rec.type = HM_REC_DATA;
		rec.flags = HM_DATA_FIRST;
		rec.extra = HM_HEAD_MAX;
		hm_record_header(buf + len, &rec);
		return len + HM_RECORD_HEADER;
	default: /* nothing at all */
		return 0;
	}
}

static int
dial(const char *path)
{
	struct sockaddr_un sun;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK(fd != -1);
	memset(&sun, 0, sizeof sun);
	sun.sun_family = AF_UNIX;
	(void)snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&sun, sizeof sun) == -1) {
		perror(path);
		exit(1);
	}
	return fd;
}

int
main(int argc, char *argv[])
{
	static unsigned char buf[20000];
	int held[HELD], fd;
	unsigned i, count;
	size_t len;

	CHECK(argc >= 3);
	count = (unsigned)strtoul(argv[2], NULL, 10);
	state = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	for (i = 0; i < HELD; i++)
		held[i] = -1;
	for (i = 0; i < count; i++) {
		fd = dial(argv[1]);
		len = nonsense(buf, sizeof buf, i);
		if (len > 0 && write(fd, buf, len) == -1)
			CHECK(errno == EPIPE || errno == ECONNRESET);
		if (held[i % HELD] != -1)
			CHECK(close(held[i % HELD]) == 0);
		held[i % HELD] = fd;
	}
	return 0;
}
