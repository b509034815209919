/* Two streams joined in memory: what is written to one end is read from the other.
 *
 * Each end moves at most `most` bytes a call, takes at most `window` bytes that the other has not read, and may say AGAIN before
 * every call that gets on. AGAIN asks to be woken and the waker is called in a later turn of the loop, so that waiting for the
 * wrong thing never ends, which the simulated loop (double.h) finds out. */
#ifndef TESTS_JOINT_H
#define TESTS_JOINT_H

#include "loop/loop.h"
#include "stream/stream.h"

struct joint_end {
	struct stream s; /* first: the stream is the end */
	struct loop *loop;
	struct joint_end *other;
	struct waker waker;
	struct task wake;
	unsigned char *in; /* what the other has written and this end has not read */
	size_t in_at, in_n, in_cap;
	size_t most, window; /* 0: no limit */
	bool stutters;
	bool stuttered[2];	/* reading, writing */
	bool blocked[2];	/* AGAIN was said, and what it waits for has not come */
	bool eof;		/* the other has shut */
	bool no_read, no_write; /* every call fails */
	bool was_shut, closed;
	uint64_t taken;	  /* bytes that were read here */
	uint64_t given;	  /* ... and written */
	uint64_t flip_at; /* the bit of what is written here that arrives wrong, 1-based; 0: none */
	uint64_t cut_at;  /* bytes that are written here from this one on vanish; 0: none */
};

struct joint {
	struct joint_end a, b;
};

void joint_open(struct joint *j, struct loop *loop);
void joint_close(struct joint *j); /* frees what is on its way; streams that stand on it are closed before */

#endif
