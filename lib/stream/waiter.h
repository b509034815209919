/* A top stream's place in the loop: only the waiter turns `need` into watches, a timer and a wake-up, so that two flows over one
 * stream share it. Calls fn once for any of them; fn tries again. */
#ifndef STREAM_WAITER_H
#define STREAM_WAITER_H

#include "loop/loop.h"
#include "stream/stream.h"

struct waiter {
	struct loop *loop;
	struct stream *s;
	struct watch r, *w; /* w: a second watch, allocated when wfd != rfd and it is needed */
	struct timer t;
	void (*fn)(void *arg);
	void *arg;
	bool hup;    /* a hang-up was reported, once */
	bool ends;   /* its owner also waits, without reading, for the end of the peer's side (of a stream socket) */
	bool ended;  /* that was reported, once */
	bool called; /* fn was called, since its owner cleared this */
};

void waiter_open(struct waiter *w, struct loop *loop, struct stream *borrows, void (*fn)(void *arg), void *arg);
/* Waits for what the stream's last read (rd) and write (wr) need; both false: only for a hang-up. A pipe that is not being
 * written to is watched for a hang-up in any case. -1: the backend cannot hold the descriptor or no memory (errno). */
int waiter_arm(struct waiter *w, bool rd, bool wr);
void waiter_rest(struct waiter *w);  /* waits for nothing, not even a hang-up */
void waiter_close(struct waiter *w); /* ends the waiting; the stream stays its owner's */

#endif
