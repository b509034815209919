/* A layer that sees what passes and changes nothing: the ground of transcripts, captures, events and expectations. */
#ifndef IO_TAP_H
#define IO_TAP_H

#include "io/stream.h"

enum tap_dir { TAP_IN, TAP_OUT };

struct tap_ops { /* a watcher; each call may be NULL */
	const char *name;
	/* The first len bytes of v have passed; over datagrams they are one, also of no bytes. NULL, or why the next read is
	 * to fail (for as long as the watcher lives). */
	const struct why *(*moved)(void *self, enum tap_dir dir, const struct iovec *v, size_t len);
	void (*ended)(void *self, enum tap_dir dir);   /* the peer's end was read; ours was passed on. Once. */
	void (*broke)(void *self, const struct why *); /* reading or writing failed. Once. */
	void (*secured)(void *self);		       /* as of stream_ops */
	int (*verdict)(void *self, struct err *e);     /* as of stream_ops */
	void (*close)(void *self, enum close_how how); /* frees what it holds, not itself */
};

/* Stands on *top and replaces it. The watcher's own memory, zeroed; NULL: there is none, *top as it was. */
void *tap_push(struct stream **top, const struct tap_ops *ops, size_t self_bytes);

/* Walks the pieces of what passed: the next one of at most `most` bytes, or false. Start with at zeroed, left the length. */
struct tap_walk {
	const struct iovec *v;
	size_t at, left;
};
bool tap_next(struct tap_walk *w, size_t most, const unsigned char **bytes, size_t *n);

#endif
