/* A talk script drawn at random, mostly one that may stand so, and what a peer may say to it. */
#ifndef TESTS_TALK_DRAFT_H
#define TESTS_TALK_DRAFT_H

#include "tests/sim/dice.h"

#include <stddef.h>

enum { TALK_DRAFT_TEXT = 2048, TALK_DRAFT_IN = 160 };
enum { TALK_DRAFT_LATER = 0x1e, TALK_DRAFT_END = 0x04 }; /* as LATER and PEER_END of talk_play.h */

struct talk_draft {
	char text[TALK_DRAFT_TEXT];
	size_t used;
	struct dice *dice;
	bool dgram, tls; /* over datagrams; starttls can be done */
	bool untimed;	 /* no deadline and no idle rule: only what is said decides what is done */
	bool raw, matched;
};

void talk_draft(struct talk_draft *d); /* with dice, dgram, tls and untimed set */
/* With marks where time passes, and for the end. Returns how many bytes. */
size_t talk_draft_input(struct talk_draft *d, char in[TALK_DRAFT_IN]);

#endif
