/* Reports of clients whose setup failed: a handshake or a header. Without -v, which reports each, at most one line a second: the
 * first at once, those of the next second together, with their number and the last of them. */
#ifndef SERVER_COMPLAINT_H
#define SERVER_COMPLAINT_H

#include "loop/loop.h"
#include "net/run.h"
#include "net/sockaddr.h"

enum { COMPLAINT_MS = 1000, COMPLAINT_TEXT = 320 };

struct complaint { /* zeroed */
	const struct run *run;
	struct timer due;
	bool waits;	 /* the last line is less than COMPLAINT_MS old */
	unsigned untold; /* since then */
	uint32_t conn;	 /* the last of them: */
	char peer[SA_TEXT];
	char reason[16];
	bool tls; /* it was a handshake */
	char why[COMPLAINT_TEXT];
};

void complaint_open(struct complaint *c, const struct run *borrows);
/* reason: as in the event `reject`. */
void complaint_add(struct complaint *c, uint32_t conn, const struct sa *peer, const char *reason, const struct err *e);
void complaint_close(struct complaint *c); /* reports the rest */

#endif
