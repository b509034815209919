/* Plays a conversation to the talk engine: what the peer says at which time, cut in whichever way, and a trace of all that is
 * done. The clock is a number; waiting takes no time. */
#ifndef TESTS_TALK_PLAY_H
#define TESTS_TALK_PLAY_H

#include "talk/talk_engine.h"

enum { PLAY_TRACE = 16384, PLAY_LATER_MS = 100 };

#define LATER "\x1e"	/* in what the peer says: so many milliseconds pass (and over datagrams: the next one) */
#define PEER_END "\x04" /* the peer's end */

struct play {
	const struct talk_script *script;
	uint32_t conn;
	bool dgram, rules; /* rules: tell which are hit */
	bool sent;	   /* nothing but what is sent is told */
	size_t cut;	   /* bytes that a read gives, or a write takes, at most; 0: all */
	uint32_t *dice;	   /* cut at random, up to `cut` */
	uint32_t *ahead;   /* what is there is read, at random, while something else is done; NULL: only when it is waited for */
	unsigned acts_most;
	char trace[PLAY_TRACE]; /* sent bytes as they are, [close], [log text], [fail hola.talk:1: words] ... */
	size_t used;
	size_t in_most; /* memory that the input took at most */
	bool stopped;	/* after acts_most */
};

uint32_t play_dice(uint32_t *seed);
/* Plays `in`, n bytes, and fills the trace. */
void play(struct play *p, const char *in, size_t n);

#endif
