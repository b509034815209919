/* The layers of a connection, from the rows of layers.c: bottom first, each pushes itself if its options request it. */
#ifndef SESSION_LAYERS_H
#define SESSION_LAYERS_H

#include "net/layer.h"

struct service;

/* Borrows addr until layers_stop. 0, or -1 with e; what has started is stopped by layers_stop. An env without a stack shares
 * nothing. */
int layers_start(const struct run *run, enum role role, const struct addr *addr, const struct service *service, struct err *e);
void layers_stop(const struct run *run);
/* For a service that dials addr itself: the env to dial with, of which only TLS and, in servers, proxies are as the user asked
 * for them, because all else is about its clients. Lives until layers_stop(env). NULL with e. */
const struct run *layers_far(const struct run *run, const struct addr *addr, struct err *e);
/* 0, or -1 with e and *top still the caller's. */
int layers_build(struct stream **top, const struct link *link, struct err *e);

/* TLS in the midst of a connection. For a service with LATER_TLS, before any socket: it will ask for that, or (wanted false) it
 * will not, and options of TLS are then refused where nothing uses them. 0, or -1 with e. */
int layers_tls_later(const struct run *run, bool wanted, struct err *e);
/* Puts TLS below all layers that see payload; *top changes if there are none. All output is flushed already; unread input goes to
 * TLS. stream_setup makes the handshake. 0, or -1 with e: no memory, nothing has changed. */
int layers_secure(struct stream **top, const struct link *link, const void *unread, size_t n, struct err *e);

extern const struct opt_group text_opts; /* -C */
struct text_conf {
	bool crlf;
};

#endif
