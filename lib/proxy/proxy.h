/* Dialing through a proxy: SOCKS 4, 4a and 5 (RFC 1928, RFC 1929), HTTP CONNECT (RFC 9110, 9.3.6).
 *
 * The dialer connects to the proxy instead of the target, and a layer below TLS asks for the target in its setup. An answer of
 * the proxy uses only a fixed piece of memory and is shown in printable form. */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include "net/layer.h"

enum proxy_kind { PROXY_SOCKS4, PROXY_SOCKS4A, PROXY_SOCKS5, PROXY_SOCKS5H, PROXY_HTTP };
enum { PROXY_WORD = 255, PROXY_SENDS = 2048, PROXY_TAKES = 8192, PROXY_WORDS = 320 };

struct proxy {
	enum proxy_kind kind;
	struct addr addr; /* where it listens */
	bool auth;
	char user[PROXY_WORD + 1], password[PROXY_WORD + 1];
};

extern const struct opt_group proxy_opts;
struct proxy_conf {
	const char *url, *auth_file;
};

int proxy_start(const struct run *run, void **shared, struct err *e);
int proxy_push(struct stream **top, const struct link *link, void *shared, struct err *e);
void proxy_stop(const struct run *run, void *takes);

const struct proxy *proxy_of(const struct run *run); /* NULL: none was asked for */
bool proxy_waits(const struct stream *top);	     /* the proxy has not connected us yet */
bool proxy_resolves(const struct proxy *p);	     /* the proxy resolves names */

/* The conversation, without I/O: send `sends`; then receive exactly `needs` bytes after the `has` that `takes` holds; then take
 * the next step. */
struct proxy_talk {
	const struct proxy *proxy;
	char host[256]; /* of the target, a name or a number */
	uint16_t port;
	unsigned step;
	unsigned char sends[PROXY_SENDS], takes[PROXY_TAKES];
	size_t sends_n, has, needs;
	char words[PROXY_WORDS]; /* why it is refused */
};
enum proxy_step { PROXY_GO_ON, PROXY_DONE, PROXY_REFUSED };
enum proxy_step socks_step(struct proxy_talk *t);
enum proxy_step http_connect_step(struct proxy_talk *t);

#endif
