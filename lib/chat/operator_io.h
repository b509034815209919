/* The operator's stdin and stdout of a server, for a person or a script (console, chat).
 *
 * stdin is read only while the service listens, one bounded read a turn. Output waits in a bounded queue; while that is more than
 * half full the service is told, and stops reading the members that fill it. stdout's failure is the run's. */
#ifndef CHAT_OPERATOR_IO_H
#define CHAT_OPERATOR_IO_H

#include "stream/outq.h"
#include "stream/waiter.h"
#include "session/session.h"

struct operator_io_ops {
	bool (*listens)(void *arg); /* may stdin be read now? */
	void (*heard)(void *arg, const char *bytes, size_t n);
	void (*quiet)(void *arg);	    /* stdin has nothing now (operator_io_quiet); NULL: not needed */
	void (*ended)(void *arg);	    /* stdin's end */
	void (*full)(void *arg, bool full); /* of stdout's queue */
};

struct operator_io_opts {
	bool reads, writes;
	bool lines;	  /* heard gets whole lines; a piece without newline only if the line is very long or the last */
	bool raw;	  /* a terminal as stdout gets the bytes unchanged */
	size_t read_most; /* 0: 64 KiB */
};

struct operator_io {
	struct service_run *service_run;
	const struct operator_io_ops *ops;
	void *arg;
	struct operator_io_opts opts;
	struct stream *near;
	struct waiter waiter;
	struct task turn;
	struct outq out;
	char *in; /* input; in lines mode an unfinished line stays at its start */
	size_t in_len;
	bool tty, screen; /* stdin, stdout is a terminal */
	bool eof, any;	  /* stdin has ended / has sent something */
	bool rd_waits, wr_waits;
	bool unflushed; /* the queue may be empty, the layer below is not */
	bool full, gone, closing;
};

bool operator_io_terminal(void); /* would stdin be one? */
int operator_io_open(struct operator_io *d, struct service_run *service_run, const struct operator_io_opts *opts,
	const struct operator_io_ops *ops, void *arg, struct err *e);
void operator_io_print(struct operator_io *d, struct msg *borrows);
void operator_io_look(struct operator_io *d);	     /* `listens` may have changed */
bool operator_io_quiet(const struct operator_io *d); /* a read of stdin found nothing */
/* In a drain stdin is read no more: the start of a line that was read goes where the line would have gone. */
void operator_io_last(struct operator_io *d);
/* From service->stop: turns the loop until all is written, closes stdout, and reports a failure of that. */
void operator_io_close(struct operator_io *d);

#endif
