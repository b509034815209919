/* The layers of a connection, from the rows of stack.c: bottom first, each pushes itself when its options ask for it. */
#ifndef NET_STACK_H
#define NET_STACK_H

#include "io/stream.h"
#include "net/env.h"

enum role { ROLE_DIAL, ROLE_ACCEPT };
enum place { PLACE_FAULT, PLACE_PROXY, PLACE_TLS, PLACE_TAP, PLACE_TELNET, PLACE_FRAME };

struct layer {
	enum place place;
	const char *name;
	const struct opt_group *group; /* where its options live; NULL: it has none of its own */
	int (*push)(struct stream **top, enum role role, const struct env *env, uint32_t conn,
		struct err *e); /* no option, no push: 0 */
};

/* 0, or -1 with e and *top still the caller's. */
int stack_build(struct stream **top, enum role role, const struct env *env, uint32_t conn, struct err *e);

extern const struct opt_group text_opts; /* -C */
struct text_conf {
	bool crlf;
};

#endif
