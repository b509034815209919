/* An orderly close takes time: half-close, read and drop to EOF or a deadline, close. A plain close with unread input makes the
 * kernel reset the connection, which can destroy our last bytes before the peer reads them. At most 64 at once; beyond that a
 * plain close. */
#ifndef STREAM_LINGER_H
#define STREAM_LINGER_H

#include "loop/loop.h"
#include "stream/stream.h"

enum { LINGER_MOST = 64 };
struct lingers;

struct lingers *linger_open(struct loop *loop); /* NULL: no memory */
void linger_take(struct lingers *l, struct stream *takes, int64_t until_ms);
unsigned linger_count(const struct lingers *l);
void linger_limit(struct lingers *l, unsigned most); /* fewer than LINGER_MOST, if descriptors are few */
unsigned linger_most(const struct lingers *l);
/* Called once when the last one has gone (at once, from the loop, if there is none). */
void linger_when_empty(struct lingers *l, void (*fn)(void *arg), void *arg);
/* Closes the rest now; not from one of their callbacks. Returns how many had bytes of ours on their way. */
unsigned linger_cut(struct lingers *l);
void linger_close(struct lingers *takes); /* closes the rest */

#endif
