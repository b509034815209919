/* Errors are values: a class (which is the exit code), an errno, and the words.
 *
 * Low floors return -1 and fill a `struct err`; they never print and never exit. A stream, of which there may be
 * thousands, carries a `struct why` instead: the words around it are formed when it is reported. The rows in
 * err_rows are the table of exit codes in the man page. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

enum err_class {
	ERR_OK = 0,
	ERR_NETWORK = 1,  /* a network failure without a class of its own */
	ERR_USAGE = 2,	  /* found before anything was opened */
	ERR_RESOLVE = 3,  /* the name could not be resolved */
	ERR_CONNECT = 4,  /* refused, unreachable */
	ERR_TIMEOUT = 5,  /* a clock of ours ran out */
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

struct why { /* text: what was tried, as "write stdout"; static, or a layer's own until it is closed */
	enum err_class cls;
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

/* What a run has to say at its end: the first failure in time stays, except that MISMATCH and BUG replace others. */
void err_keep(struct err *run, const struct err *now);

const char *err_class_name(enum err_class cls);

#endif
