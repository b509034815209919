/* Errors are values: a class (which is the exit code), an errno, and the words.
 *
 * Low floors return -1 and fill a `struct err`; they never print and never exit. A stream, of which there may be
 * thousands, carries a `struct why` instead: the words around it are formed when it is reported, and what a program is to do
 * about it stands in its class and flags, never in its text. The rows in err_rows are the table of exit codes in the man page. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

enum __attribute__((packed)) err_class { /* a byte: there are thousands */
	ERR_OK = 0,
	ERR_NETWORK = 1,  /* a network failure without a class of its own */
	ERR_USAGE = 2,	  /* found before anything was opened */
	ERR_RESOLVE = 3,  /* the name could not be resolved */
	ERR_CONNECT = 4,  /* refused, unreachable */
	ERR_TIMEOUT = 5,  /* a deadline of ours */
	ERR_TLS = 6,	  /* handshake or verification */
	ERR_LOST = 7,	  /* bytes were cut off: reset, truncated, deadline */
	ERR_MISMATCH = 8, /* an expectation failed */
	ERR_LOCAL = 9,	  /* stdin, stdout, file, child, memory */
	ERR_LISTEN = 10,  /* the address could not be bound */
	ERR_BUG = 70,	  /* an internal inconsistency */
	ERR_PIPE = 141	  /* stdout's reader went away */
};

struct err { /* on the stack, or one per run; never one per client */
	enum err_class cls;
	int sys; /* errno, 0 for none; its words are already in `what` */
	char what[512];
};

enum why_flag {
	OF_PEER = 1,  /* the text is whole with the peer's name behind it: "receive from" */
	BY_FAULT = 2, /* a fault that was asked for has ended the connection */
	BY_RESET = 4, /* and with a reset */
	DROPPED = 8,  /* a server gave the connection up itself */
	BY_DRAIN = 16 /* and because its drain was over */
};
struct why { /* text: what was tried, as "write stdout"; static, or a layer's own until it is closed */
	enum err_class cls;
	unsigned char flags; /* of enum why_flag */
	int sys;
	const char *text;
};

struct err_row {
	enum err_class cls;
	const char *name, *meaning;
};
extern const struct err_row err_rows[]; /* ends with a row whose name is NULL */

/* Fills e (may be NULL) with the formatted words, and ": " and the words of errno `sys` where it is not 0.
 * Returns -1 always, so that a caller can `return err_set(...)`. */
int err_set(struct err *e, enum err_class cls, int sys, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Puts "prefix: " before the words of e, cutting at the end when it does not fit. Returns -1 always. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Why something failed, as a sentence: "receive from 10.0.0.1:80: Connection reset by peer". peer: its name; NULL: "the peer".
 * why_text: without errno's words, cut where out ends. Returns out. */
int err_why(struct err *e, const struct why *why, const char *peer);
char *why_text(const struct why *why, const char *peer, char *out, size_t cap);

/* What a run has to say at its end: the first failure in time stays, except that MISMATCH and BUG replace others. */
void err_keep(struct err *run, const struct err *now);

const char *err_class_name(enum err_class cls);

#endif
