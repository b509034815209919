/* Private to the address parser (addr.c, addr_inet.c, addr_local.c): one reading of one ADDRESS. */
#ifndef NET_ADDR_INTERNAL_H
#define NET_ADDR_INTERNAL_H

#include "net/addr.h"

struct reading {
	struct addr *a;
	const struct addr_conf *conf;
	unsigned flags;	    /* ADDR_SERVER, ADDR_RANGES */
	const char *word;   /* the first word, which error sentences name */
	const char *second; /* the second, NULL for none */
	bool took_second;
	struct err *e;
};

/* `address "WORD": sentence`, ERR_USAGE; returns -1. */
int addr_refuse(const struct reading *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *addr_forms(const struct reading *r); /* "expected HOST PORT or ..." */

/* HOST:PORT, or HOST and the second word, or a server's PORT (addr_inet.c); a->kind and the scheme's family are set. A URL has
 * its port after the host, and may end in one slash. */
int addr_read_inet(struct reading *r, const char *text, bool url);

/* Addresses without host and port (addr_local.c); rest is the text after the scheme. */
int addr_read_path(struct reading *r, const char *rest);
int addr_read_fd(struct reading *r, const char *rest);
int addr_read_systemd(struct reading *r, const char *rest); /* rest: the name, "" for all */

#endif
