/* As whom a run speaks: sockctl itself (NULL everywhere) or the program by whose name it was called. */
#ifndef REPORT_PERSONA_H
#define REPORT_PERSONA_H

#include "base/err.h"
#include "base/event.h"

struct persona {
	const char *name; /* stands before its last words */
	/* What it says of an event, one line or several, without the last newline. Returns its length; 0: nothing. */
	size_t (*words)(void *arg, char *buf, size_t cap, const struct event *ev);
	/* The run has ended like this: may call it a success (ERR_OK) or say nothing about it ("" for the words). */
	void (*judge)(void *arg, struct err *e);
	int worst; /* its highest exit status, but for signals */
	void *arg;
};

#endif
