/* A layer that sees what passes and changes nothing: the base of transcripts, captures, events and expectations. */
#ifndef STREAM_OBSERVER_H
#define STREAM_OBSERVER_H

#include "stream/stream.h"

enum observer_dir { OBSERVER_IN, OBSERVER_OUT };

struct observer_ops { /* each call may be NULL */
	const char *name;
	/* The first len bytes of v have passed; over datagrams they are one, perhaps empty. NULL, or why the next read must fail
	 * (valid as long as the observer). */
	const struct why *(*moved)(void *self, enum observer_dir dir, const struct iovec *v, size_t len);
	void (*ended)(void *self, enum observer_dir dir); /* the peer's end was read; ours was passed on. Once. */
	void (*broke)(void *self, const struct why *);	  /* reading or writing failed. Once. */
	void (*secured)(void *self);			  /* as of stream_ops */
	int (*verdict)(void *self, struct err *e);	  /* as of stream_ops */
	void (*close)(void *self, enum close_how how);	  /* frees what it holds, not itself */
};

/* Puts the layer on *top and replaces it. The observer's own memory, zeroed; NULL: there is none, *top unchanged. */
void *observer_push(struct stream **top, const struct observer_ops *ops, size_t self_bytes);

/* Walks the pieces of what passed: the next one of at most `most` bytes, or false. Start with at zeroed, left the length. */
struct observer_walk {
	const struct iovec *v;
	size_t at, left;
};
bool observer_next(struct observer_walk *w, size_t most, const unsigned char **bytes, size_t *n);

#endif
