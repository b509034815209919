/* One flow between real descriptors, ours at their far ends: the scenery of the tests of splice. */
#ifndef TESTS_WAY_H
#define TESTS_WAY_H

#include "base/sys.h"
#include "pump/flow.h"
#include "loop/loop.h"

enum { BLOCK = 4096, BLOCKS = 2, PIPE_MOST = BLOCK * POOL_PIPE_BLOCKS, PLENTY = 1 << 30, MUCH = 300000 };

struct way {
	struct loop *loop;
	struct pool *pool;
	struct stream *from, *to;
	struct counters came, went;
	struct flow flow;
	int in, out; /* written to, read from by the test; -1 */
};

extern unsigned char bytes[MUCH], got[2 * MUCH]; /* to be sent; what has come */

/* Ends: 'p'ipe, 't'cp, 'u'nix, 'f'ile (holding `bytes`); as a sink also /dev/'n'ull and a file opened for 'a'ppending. */
void way_open(struct way *w, char from, char to);
void way_close(struct way *w);
size_t way_drain(struct way *w, size_t have); /* reads what is there behind the first `have` of got; how many there are then */
void nonblocking(int fd);

/* From the from-th call of that kind on, before the to-th, each fails with sys. splice_most: what a splice moves at the most. */
void gate_open(enum sys_call call, int from_nth, int to_nth, int sys);
extern size_t splice_most;

#endif
