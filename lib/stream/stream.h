/* A stream moves bytes, or datagrams. Layers are streams on streams; the lowest one owns descriptors.
 *
 * Rule of use: try first, wait only on ST_AGAIN, then for exactly what the stream's `need` says (waiter.h does). A layer that
 * gets ST_AGAIN from below copies the need of that call into its own. Before payload comes `setup` (0, or AGAIN and again). A
 * layer may hold accepted bytes: `flush` says when none are left. `shut` is flush, then half-close, called until it returns 0. */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { ST_AGAIN = -1, ST_FAIL = -2, ST_EMPTY = -3 }; /* ST_EMPTY: a datagram of no bytes; 0 stays EOF alone */
enum {
	ST_DGRAM = 1,  /* one call, one datagram; shut is a no-op and EOF never comes */
	ST_NOHALF = 2, /* cannot half-close */
	ST_TTY = 4,    /* the reading end is a terminal */
	ST_SOCK = 8,   /* the lowest stream is a connected stream socket: it has a send queue and SO_ERROR */
	ST_PIPE = 16   /* the writing end is a pipe: a hang-up says that its reader has left, and nothing of the reading end */
};
enum close_how {
	CLOSE_PLAIN,
	CLOSE_RST,
	CLOSE_DONE /* of a session: plain, its peer has got everything and has ended, or is not heard; of a stream: plain */
};

struct need { /* ANY of them unblocks the call that returned AGAIN */
	int64_t at_ms;
	bool in, out, wake, timed; /* rfd readable, wfd writable, the waker is called, at_ms counts */
};

struct waker { /* lives in a lowest stream without descriptors; a waiter fills it in, the stream calls it */
	void (*fn)(void *arg);
	void *arg;
};

enum { MSGS_MOST = 64 };
struct msgs { /* datagrams, one an element */
	unsigned n;
	struct iovec v[MSGS_MOST];
};

struct loop;
struct sa;
struct counters { /* what passed at the top of a connection's layers; its session's */
	const struct loop *loop;
	void (*ended)(
		struct counters *t, bool in); /* once a way: the peer's EOF was read / everything is sent and shut; or NULL */
	uint64_t in, out;		      /* bytes */
	uint32_t reads;			      /* calls that got something: datagrams, for ST_DGRAM */
	bool in_ended, out_ended;
	int64_t used_ms;  /* loop_now when something was moved last */
	int64_t first_us; /* loop_now_us of the first call that got something; 0: none */
};

struct stream {
	const struct stream_ops *ops;
	struct stream *below;
	int rfd, wfd; /* -1: none; copied up from below at push, as are caps, waker */
	unsigned caps;
	bool dry; /* the last readv took all there was: to ask again now would be in vain, `rd` says what to wait for. A hint */
	uint8_t place; /* enum place of the row that pushed it (net/layer.h) */
	struct waker *waker;
	struct counters *counters; /* on the top stream of a session only; NULL elsewhere */
	struct need rd, wr;	   /* valid after readv or setup / writev, flush or shut said AGAIN */
	struct why why;		   /* valid after ST_FAIL */
};

struct stream_ops {
	const char *name;
	int (*setup)(struct stream *s);					   /* 0, AGAIN (rd), FAIL; NULL: nothing to do */
	ssize_t (*readv)(struct stream *s, const struct iovec *v, int n);  /* > 0, 0 EOF, AGAIN (rd), FAIL, EMPTY */
	ssize_t (*writev)(struct stream *s, const struct iovec *v, int n); /* bytes accepted, AGAIN (wr), FAIL */
	/* Datagrams only; NULL: one readv, one datagram. m->n places, which hold any datagram, become m->n datagrams, which is
	 * returned (at least 1), AGAIN (rd), FAIL. / How many were accepted (at least 1), AGAIN (wr), FAIL. */
	int (*recvm)(struct stream *s, struct msgs *m);
	int (*sendm)(struct stream *s, const struct msgs *m);
	int (*flush)(struct stream *s);			 /* 0 nothing held here or below, AGAIN (wr), FAIL; NULL: asks below */
	int (*last)(struct stream *s);			 /* nothing more will be written: 0, AGAIN (wr), FAIL; NULL: as flush */
	int (*shut)(struct stream *s);			 /* 0, AGAIN (wr), FAIL; NULL: flush, then shut below */
	void (*secured)(struct stream *s);		 /* from now on there is TLS below (starttls); NULL: not needed */
	int (*verdict)(struct stream *s, struct err *e); /* were all received bytes as expected? Called once; NULL: no opinion */
	bool (*holds)(const struct stream *s);		 /* of the peer's bytes, some that were not passed up yet; NULL: never */
	const struct sa *(*sender)(
		const struct stream *s);      /* of the datagram that was read last; NULL: the peer is the only one */
	uint64_t *(*quota)(struct stream *s); /* messages that it hands up before it ends; NULL: it cuts none out of a stream */
	void (*close)(struct stream *s, enum close_how how); /* never blocks; closes below, frees itself */
	/* The descriptor from which (or to which) bytes may be moved directly, unseen by this layer and without blocking; -1 or
	 * NULL: none, because a layer here or below must see them. The answer may change: ask before each use. */
	int (*rawfd)(struct stream *s, bool write);
};

/* The calls. Those that move bytes are counted. */
int stream_setup(struct stream *s); /* whole stack, from the bottom up */
ssize_t stream_readv(struct stream *s, const struct iovec *v, int n);
ssize_t stream_writev(struct stream *s, const struct iovec *v, int n);
int stream_recvm(struct stream *s, struct msgs *m); /* only where ops have it; as stream_sendm */
int stream_sendm(struct stream *s, const struct msgs *m);
ssize_t stream_read(struct stream *s, void *buf, size_t len);
ssize_t stream_write(struct stream *s, const void *buf, size_t len);
int stream_rawfd(struct stream *s, bool write);
/* Counts bytes moved past readv or writev, by way of rawfd. readv finds the end. */
void stream_passed_in(struct stream *s, size_t n);
void stream_passed_out(struct stream *s, size_t n);
int stream_flush(struct stream *s);
/* The writer has no more to send, though the half-close may come much later or never: flush, and bytes that a layer kept back for
 * more (an unfinished line) go, too. */
int stream_last(struct stream *s);
int stream_shut(struct stream *s);
/* Are there unread bytes of the peer? Asks the socket and each layer; unknown for datagrams. */
bool stream_unread(const struct stream *s);
/* At a session's end: 0, or -1 with e from the first layer, from the top, that expected something else. */
int stream_verdict(struct stream *s, struct err *e);
void stream_close(struct stream *takes, enum close_how how); /* NULL is fine */
const struct stream *stream_bottom(const struct stream *s);
/* Where senders may differ from the peer: that of the datagram that was read last, borrowed until the next. NULL: the peer. */
const struct sa *stream_sender(const struct stream *s);

/* What the system says of the descriptors at the bottom (fdstream.c). Bytes that were written and that the peer has not
 * acknowledged, or that a pipe's reader has not read; 0 also where it cannot tell. / Over TCP, are there any? Of a Unix socket
 * the peer's kernel is ours. / SO_ERROR, which is told once; 0 for what is no connection. */
int stream_unsent(const struct stream *s);
bool stream_unacked(const struct stream *s);
int stream_error(const struct stream *s);

struct stream_words {			  /* of failures; static texts */
	unsigned char flags;		  /* of struct why */
	const char *read, *write, *close; /* "read stdin", "write stdout", "close stdout" */
};
/* A lowest stream of a file, a terminal, a child's pipes. rfd or wfd may be -1: reading is EOF at once, writing fails with EBADF.
 * Takes both. shut closes wfd, and a failure of that close (a full NFS) is a failure of shut. NULL: no memory. */
struct stream *stream_pair(int takes_rfd, int takes_wfd, const struct stream_words *words);

/* For layers: takes over descriptors, caps and waker from below and stands on it. */
void stream_push(struct stream *layer, const struct stream_ops *ops, struct stream *below);
/* Fail with the words of the stream below (or own ones); both return ST_FAIL. */
int stream_fail_below(struct stream *layer);
int stream_fail(struct stream *s, enum err_class cls, unsigned char flags, int sys, const char *text); /* err.h */
/* AGAIN with this need; both return ST_AGAIN. */
int stream_again_rd(struct stream *s, const struct need *need);
int stream_again_wr(struct stream *s, const struct need *need);
/* Hands up what a call of the stream below returned: AGAIN with its need, FAIL with its why, anything else as it is. */
ssize_t stream_up_rd(struct stream *layer, ssize_t rc);	   /* of setup, readv, recvm */
ssize_t stream_up_wr(struct stream *layer, ssize_t rc);	   /* of writev, sendm, flush, last, shut */
void need_join(struct need *to, const struct need *other); /* what is in either unblocks */
/* The ops of a layer that lets bytes pass: as the stream below. */
int stream_pass(struct stream *layer, int (*call)(struct stream *below)); /* stream_flush, _last, _shut; 0 without one below */
ssize_t stream_pass_readv(struct stream *layer, const struct iovec *v, int n);
ssize_t stream_pass_writev(struct stream *layer, const struct iovec *v, int n);
int stream_pass_rawfd(struct stream *layer, bool write);

#endif
