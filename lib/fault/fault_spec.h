/* A fault as requested on the command line or by a script: NAME[=VALUE][:in|:out][,conn=LIST][,prob=P%]. */
#ifndef FAULT_FAULT_SPEC_H
#define FAULT_FAULT_SPEC_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum fault_kind { /* in the order of the rows in fault_spec.c; a number also seeds its draws, so new ones go to the end */
	FAULT_REFUSE_FOR,
	FAULT_ACCEPT_DELAY,
	FAULT_ACCEPT_RST,
	FAULT_NO_ACCEPT,
	FAULT_BACKLOG_FULL,
	FAULT_LATENCY,
	FAULT_RATE,
	FAULT_CHUNK,
	FAULT_GAP,
	FAULT_STALL,
	FAULT_SINK,
	FAULT_CLOSE,
	FAULT_HALF,
	FAULT_RST,
	FAULT_SLOW_CLOSE,
	FAULT_CORRUPT,
	FAULT_CORRUPT_AT,
	FAULT_RCVBUF,
	FAULT_LOSS,
	FAULT_DUP,
	FAULT_REORDER,
	FAULT_TRUNCATE,
	FAULT_KINDS
};

enum { FAULT_AT_LISTENER = 1, FAULT_AT_STREAM = 2, FAULT_AT_DGRAM = 4 }; /* places; a fault may have two */
enum { FAULT_IN, FAULT_OUT };						 /* directions: received, sent */
enum { FAULT_RANGES = 8, FAULT_PICKS = 16 };

struct fault_spec {
	uint8_t kind; /* enum fault_kind */
	uint8_t dirs; /* 1 << FAULT_IN, 1 << FAULT_OUT; both if none was named or the fault has none */
	bool timed;   /* of those with N|T: a is a time */
	uint8_t nth;  /* its number among its kind in the run, set by its giver: prob is drawn for each; fault_parse: 0 */
	uint8_t ranges_n, picks_n;
	uint32_t prob; /* per million connections */
	int64_t a, b;  /* the value: times in ms, sizes in bytes, shares per million; b: jitter, B of A..B, N of P%/N */
	struct {
		uint32_t from, to;
	} ranges[FAULT_RANGES];	     /* of connections; none: all */
	uint32_t picks[FAULT_PICKS]; /* numbers of datagrams, from 1, instead of a share */
};

/* 0, or -1 with e (ERR_USAGE): what was given, and what is possible. */
int fault_parse(struct fault_spec *out, const char *text, struct err *e);

const char *fault_name(const struct fault_spec *spec);
unsigned fault_places(const struct fault_spec *spec); /* FAULT_AT_... */
/* The names that are possible at these places, "latency, rate, …". Returns out. */
enum { FAULT_NAMES = 320 };
const char *fault_names(unsigned places, char out[FAULT_NAMES]);

/* Does it concern this connection? The same answer for the same seed. */
bool fault_concerns(const struct fault_spec *spec, uint64_t seed, uint32_t conn);

#endif
