/* The operator: stdin and stdout of a server whose service hears and speaks there itself (console, chat).
 *
 * stdin is read only while the service listens, one bounded read a turn. What is printed waits in a bounded queue; while
 * that is more than half full the service is told so, and stops whoever fills it. stdout's failure is the run's. */
#ifndef SERVICES_OPERATOR_H
#define SERVICES_OPERATOR_H

#include "io/outq.h"
#include "io/waiter.h"
#include "net/session.h"

struct operator_ops {
	bool (*listens)(void *arg); /* may stdin be read now? */
	void (*heard)(void *arg, const char *bytes, size_t n);
	void (*ended)(void *arg);	    /* stdin's end */
	void (*full)(void *arg, bool full); /* of stdout's queue */
};

struct operator_opts {
	bool reads, writes;
	bool lines;	  /* heard gets whole lines; a piece without newline only when the line is very long or the last */
	bool raw;	  /* a terminal as stdout is given the bytes as they are */
	size_t read_most; /* 0: 64 KiB */
};

struct operator
{
	struct hub *hub;
	const struct operator_ops *ops;
	void *arg;
	struct operator_opts opts;
	struct stream *near;
	struct waiter waiter;
	struct task turn;
	struct outq out;
	char *in; /* what was read; in lines mode an unfinished line stays at its start */
	size_t in_len;
	bool tty;      /* stdin is a terminal */
	bool eof, any; /* stdin has ended / has said something */
	bool rd_waits, wr_waits, full, gone, closing;
};

bool operator_terminal(void); /* would stdin be one? */
int operator_open(struct operator* o, struct hub *hub, const struct operator_opts *opts, const struct operator_ops *ops,
	void *arg, struct err *e);
void operator_print(struct operator* o, struct msg *borrows);
void operator_look(struct operator* o); /* `listens` may have changed */
/* From service->stop: turns the loop until all is written, closes stdout, and says so when that fails. */
void operator_close(struct operator* o);

#endif
