/*
 * A channel address: where something listens, or can be dialed.  It is kept
 * as its canonical text, so that equal addresses are equal strings.
 */
#ifndef HOSTMUX_ADDR_H
#define HOSTMUX_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hostmux/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hm_transport {
	HM_TRANSPORT_UNIX, /* unix:/path and unix:@abstract */
	HM_TRANSPORT_TCP,
	HM_TRANSPORT_LOCAL /* inside this process */
};

/* "unix:" and a full sun_path (107) or the longest numeric tcp: fit. */
#define HM_ADDR_SIZE 128

struct hm_addr {
	enum hm_transport transport;
	bool any;      /* "unix", "tcp", "local": one is to be chosen */
	bool wildcard; /* "tcp:*:PORT" */
	char text[HM_ADDR_SIZE]; /* canonical, NUL-terminated */
};

/* What hm_addr_parse may accept beyond a numeric address to dial. */
#define HM_ADDR_LISTEN 1u  /* "any" forms, tcp:*:PORT, tcp:…:0 */
#define HM_ADDR_RESOLVE 2u /* tcp:name:PORT, resolved here, once; may block */

/*
 * Reads text (also in the ZeroMQ spellings ipc://, tcp://, inproc://) into
 * addr.  0, or -1 with the whole sentence in err, e.g. "address 'tcp:host': no
 * port" (EINVAL; ENAMETOOLONG for a path too long for a socket; EHOSTUNREACH
 * for a name that does not resolve).  A comma, a control byte and what is not
 * UTF-8 is refused, and a path that means something else in another directory.
 */
int hm_addr_parse(struct hm_addr *addr, const char *text, unsigned flags,
    struct hm_error *err);
/* Whether these bytes may stand for an address in an id or on the wire: UTF-8,
 * no comma, no control byte, not empty, not too long. */
bool hm_addr_text_valid(const char *text, size_t len);
/* A TCP address that is not in 127.0.0.0/8 nor ::1 (a wildcard is outside). */
bool hm_addr_is_remote(const struct hm_addr *addr);
/* unix:@… */
bool hm_addr_is_abstract(const struct hm_addr *addr);
/* The path of unix:/path, NULL for every other address. */
const char *hm_addr_path(const struct hm_addr *addr);

#ifdef __cplusplus
}
#endif
#endif
