/* A stand-in for what a pump meets: a stream that plays a script, under a loop whose clock jumps (tests/sim/loop_sim.h).
 *
 * A script is an array of acts that ends with {0}; each kind of call (read, write, flush, shut) has its own. AGAIN lasts
 * until the virtual clock says so, however often the call is tried, and then the waker is called; so nothing here
 * depends on real time, and a pump that forgot to arm anything is found out at once: the loop says that nothing is left
 * to wait for. Whatever the stream was given is recorded, and calls that a stream never has to expect are remembered. */
#ifndef TESTS_DOUBLE_H
#define TESTS_DOUBLE_H

#include "loop/loop.h"
#include "stream/pool.h"
#include "stream/stream.h"
#include "tests/sim/loop_sim.h"

enum act_kind {
	ACT_STOP, /* the script is over: reading is AGAIN for ever, the rest does all that it is asked for */
	ACT_SAY,  /* bytes or one datagram to be read */
	ACT_TAKE, /* one write takes at most n bytes */
	ACT_WAIT, /* AGAIN for so long */
	ACT_EMPTY,
	ACT_END,
	ACT_FAIL
};

struct act {
	enum act_kind kind;
	const char *text; /* NULL: n bytes of the pattern, by their place in all that is said */
	size_t n;
	int64_t ms;
	enum err_class cls;
};

#define SAY(t)                                                                                                                   \
	{                                                                                                                        \
		.kind = ACT_SAY, .text = (t), .n = sizeof(t) - 1                                                                 \
	}
#define SAY_N(bytes)                                                                                                             \
	{                                                                                                                        \
		.kind = ACT_SAY, .n = (bytes)                                                                                    \
	}
#define TAKE(bytes)                                                                                                              \
	{                                                                                                                        \
		.kind = ACT_TAKE, .n = (bytes)                                                                                   \
	}
#define WAIT(t)                                                                                                                  \
	{                                                                                                                        \
		.kind = ACT_WAIT, .ms = (t)                                                                                      \
	}
#define EMPTY                                                                                                                    \
	{                                                                                                                        \
		.kind = ACT_EMPTY                                                                                                \
	}
#define END                                                                                                                      \
	{                                                                                                                        \
		.kind = ACT_END                                                                                                  \
	}
#define FAIL(c)                                                                                                                  \
	{                                                                                                                        \
		.kind = ACT_FAIL, .cls = (c)                                                                                     \
	}

struct script {
	const struct act *at;
	size_t used;	    /* bytes of the present act */
	int64_t blocked_ms; /* AGAIN until then; 0: not blocked */
	bool told;	    /* ... and its waiter was woken after that */
	bool stuttered;
	unsigned calls;
};

enum { DOUBLE_SIZES = 64 };

struct double_stream {
	struct stream s; /* first: the stream is the double */
	struct loop *loop;
	struct waker waker;
	struct timer wake;
	struct script rd, wr, fl, sh;
	size_t most;	    /* bytes that any call moves at most; 0: no limit */
	int64_t stutter_ms; /* every call that would get on says AGAIN for so long first; 0: none does */
	bool timed;	    /* AGAIN asks for a time rather than to be woken */
	bool polled;	    /* ... for descriptors to be ready: double_poll */
	bool owned;	    /* may be closed, once */
	size_t said;	    /* bytes that were read from it */
	unsigned char *got; /* what was written to it */
	size_t got_n, got_cap;
	size_t sizes[DOUBLE_SIZES]; /* of the first datagrams written */
	unsigned writes;	    /* that took something, or an empty datagram */
	bool counts;		    /* what is written is not kept, only counted in got_n */
	bool ended, failed, was_shut, closed;
	enum close_how how; /* it was closed */
	int64_t shut_ms;
	const char *misused; /* a call that should never have come; NULL: none */
};

/* For each NULL script an empty one is played. */
void double_open(struct double_stream *d, struct loop *loop, unsigned caps, const struct act *rd, const struct act *wr);
void double_close(struct double_stream *d);
/* From now on it stands on these descriptors of the simulated loop, which may be the same. */
void double_poll(struct double_stream *d, int rfd, int wfd);
/* Bytes of SAY_N: that at place `at`. */
unsigned char double_pattern(size_t at);

/* Nothing is armed, nothing is put off: a run has nothing left to wait for. */
bool loop_is_idle(struct loop *loop);
/* All of the `most` blocks are there. */
bool pool_is_whole(struct pool *pool, size_t most);

#endif
