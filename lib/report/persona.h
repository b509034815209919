/* The program as which a run speaks: sockctl (NULL everywhere), or the one by whose name it was called. */
#ifndef REPORT_PERSONA_H
#define REPORT_PERSONA_H

#include "base/err.h"
#include "base/event.h"

struct persona {
	const char *name; /* stands before its last line */
	/* The text for an event, one line or several, without the last newline. Returns its length; 0: nothing. */
	size_t (*words)(void *arg, char *buf, size_t cap, const struct event *ev);
	/* The run has ended like this: may make it a success (ERR_OK) or say nothing about it ("" as the words). */
	void (*judge)(void *arg, struct err *e);
	int worst; /* its highest exit status, except for signals */
	void *arg;
};

#endif
