/* A top stream's place in the loop: it alone turns `need` into watches, a timer and a wake-up, so that two flows over one
 * stream meet here. Calls fn once for whatever unblocks; fn tries again. */
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
	bool ends;   /* its owner waits for the end of the peer's side, too, without reading (of a stream socket) */
	bool ended;  /* that was reported, once */
	bool called; /* fn was, since its owner took this back */
};

void waiter_open(struct waiter *w, struct loop *loop, struct stream *borrows, void (*fn)(void *arg), void *arg);
/* Waits for what the stream's last reading (rd) and writing (wr) call said it needs; both false: only for a hang-up. Of a pipe
 * that nothing is written to just now the hang-up is waited for in any case.
 * -1: the backend cannot hold the descriptor or no memory (errno). */
int waiter_arm(struct waiter *w, bool rd, bool wr);
void waiter_rest(struct waiter *w);  /* waits for nothing at all, not even a hang-up */
void waiter_close(struct waiter *w); /* lets go; the stream stays its owner's */

#endif
