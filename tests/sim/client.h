/* A client of a simulated server: what it says and when, how it ends, and whether it would call that a success. */
#ifndef TESTS_CLIENT_H
#define TESTS_CLIENT_H

#include "tests/sim/kernel.h"
#include "tests/sim/sim.h"

enum setup_kind { SETUP_NONE, SETUP_PROXY, SETUP_SHAKE, SETUPS };
enum client_kind {
	CLIENT_SENDS,  /* all it has to say, then its end; it hears the server to its end */
	CLIENT_YIELDS, /* the same, but it stops when the server has ended: a pool, nc */
	CLIENT_STAYS,  /* says it all and ends only when the server has */
	CLIENT_GHOST,  /* ends its side, and is gone or only listens: nothing tells */
	CLIENT_MUTE,   /* its setup never begins, or is never finished */
	CLIENT_BAD,    /* its setup is none */
	CLIENT_BREAKS, /* off, with a reset, somewhere */
	CLIENT_KINDS
};
enum { CLIENT_STEPS = 24, CLIENT_TEXT = 200, CLIENT_LINE_MOST = 24 };

enum step_kind { STEP_DIAL, STEP_SAY, STEP_WAIT, STEP_HEAR_S, STEP_FIN, STEP_RESET, STEP_LEAVE, STEP_STOP };
struct step {
	enum step_kind kind;
	const char *text;
	size_t n;
	int64_t ms;
};

struct chat_member {
	enum client_kind kind;
	enum setup_kind setup;
	struct conn *conn;
	struct loop *loop;
	struct timer timer;
	struct step steps[CLIENT_STEPS + 2];
	unsigned at, steps_n;
	size_t said;		/* of the present step */
	size_t setup_bytes;	/* of what it says, these are no payload */
	size_t acked;		/* bytes, with those */
	char text[CLIENT_TEXT]; /* all that it says */
	size_t text_n;
	bool hurries; /* the run is over: nothing waits any more */
	bool heard_s, heard_bye, done, broke;
	bool stepping;
	size_t echoed, told; /* of what it heard, its own letters, and those of the operator */
	char letter;
	int64_t came_ms;
	/* as the server's events tell */
	unsigned opens, closes, rejects;
	bool full; /* it was turned away because of that */
	bool last; /* it came in when the run was to end */
};

void client_draw(struct chat_member *g, struct dice *d, enum setup_kind setup, unsigned i);
void client_start(struct chat_member *g, struct loop *loop); /* its clock runs */
void client_finish(struct chat_member *g);		     /* the server is gone: what it has left to do fails or is done */
bool client_honest(const struct chat_member *g);	     /* it has a good setup and does not break off */
bool client_well(const struct chat_member *g);		     /* it would end with 0 */
size_t client_letters(const struct chat_member *g);	     /* of its payload, those that were acknowledged */
size_t client_letters_all(const struct chat_member *g);

#endif
