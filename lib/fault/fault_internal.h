/* Shared by fault.c (the layer), fault_hold.c (held bytes), fault_bytes.c (the directions of a byte stream), fault_shape.c (when
 * bytes may pass), fault_cut.c (where they end or change) and fault_dgram.c. */
#ifndef FAULT_FAULT_INTERNAL_H
#define FAULT_FAULT_INTERNAL_H

#include "base/rng.h"
#include "fault/fault.h"
#include "net/sockaddr.h"

#include <errno.h>

enum { FAULT_WAYS = 2, FAULT_BLOCK = 1024 /* bytes: the chunk of a gap alone */ };

struct fault_rule { /* a fault that concerns this connection */
	struct fault_rule *next;
	struct fault_spec spec;
	uint64_t base[FAULT_WAYS];     /* the offset of each direction when it was given */
	const struct fault_spec *step; /* added by fault_step, which finds it by this; NULL: by fault_apply */
	int64_t at_ms;		       /* when, if spec.timed */
	uint16_t nth[FAULT_WAYS];      /* its number among its kind in each direction: each draws by itself */
	uint8_t done;		       /* 1 << way: it has happened there, or was reported */
};

struct fault_piece { /* bytes that came at once, or one datagram */
	struct fault_piece *next;
	uint64_t burst;	 /* bytes: where their burst begins */
	int64_t us;	 /* bytes: when they came; datagram: when it may pass */
	int64_t late_us; /* datagram: ... even if too few others have overtaken it */
	uint32_t after;	 /* datagram: how many others must pass first */
	uint32_t at, len, cap;
	struct sa from; /* received datagram: its sender, where senders may differ */
	unsigned char bytes[];
};

enum fault_end { FAULT_OPEN, FAULT_ENDED /* in: EOF was read; out: shut was asked for */, FAULT_BROKE };

struct fault_way {
	struct fault_piece *first, *last;
	size_t held;	    /* memory of the pieces */
	size_t *held_all;   /* ... and of those of all ways of the run */
	uint64_t arrived;   /* received bytes or datagrams, without dropped ones */
	uint64_t passed;    /* bytes that have passed */
	uint64_t changed;   /* bytes up to here are changed already */
	uint64_t burst;	    /* where the present burst began */
	int64_t came_us;    /* when its last byte came */
	bool dry;	    /* ... and then no more were there */
	bool late, chunks;  /* there is a latency; a chunk or a gap */
	bool untold;	    /* ... or a rate that has not been reported */
	int64_t late_us;    /* the longest delay */
	int64_t rate;	    /* bytes a second; 0: unlimited */
	int64_t rate_us;    /* the line is busy until then, ... */
	uint64_t rate_rest; /* ... and so many millionths of a byte longer */
	int64_t moved_us;   /* when something last passed */
	uint64_t chunk_end, chunk_i;
	int64_t gap_us;	  /* nothing passes before */
	bool stalled;	  /* nothing passes any more, for good */
	bool sinks;	  /* all is taken and dropped */
	bool over;	  /* half-after: this direction has ended */
	uint8_t end;	  /* enum fault_end: what follows the last piece */
	int64_t end_us;	  /* when it may pass */
	int64_t asked_us; /* out: when its owner began to wait for held bytes */
	int64_t last_us;  /* out: when its owner said that no more bytes come; 0: it has not */
	struct why why;	  /* FAULT_BROKE */
	struct need need; /* what unblocks this direction */
};

struct fault {
	struct stream s;
	struct fault_run *run;
	uint32_t conn;
	uint8_t cut;	 /* FAULT_CLOSE or FAULT_RST has happened; 0: neither */
	bool cut_done;	 /* and the stream's caller may know */
	bool shut_below; /* our end was passed on */
	bool leaving;	 /* closed by its owner: it now only closes */
	struct waker own;
	struct timer clock; /* for faults at a time */
	struct timer send;  /* for held bytes, whether a caller waits for the stream or not */
	struct task kick;
	struct fault_rule *rules; /* in the order in which they were given */
	int64_t slow_ms;	  /* slow-close; 0: none */
	int64_t rcvbuf;		  /* bytes, as requested; 0: not requested */
	struct fault_way way[FAULT_WAYS];
	int64_t ack_ms; /* since when: a reset that waits for acknowledgements */
	struct sa from; /* of the received datagram that passed last; family 0: senders do not differ */
};

/* fault_hold.c */
int hold_add(
	struct fault_way *w, const struct iovec *v, int n, size_t len, int64_t now_us); /* the first len bytes; -1: no memory */
struct fault_piece *hold_add_one(struct fault_way *w, const struct iovec *v, int n, size_t len); /* as a piece of its own */
void hold_drop(struct fault_way *w, size_t n);
void hold_remove(struct fault_way *w, struct fault_piece *p);
void hold_clear(struct fault_way *w);
size_t hold_room(const struct fault_way *w); /* bytes */
void need_time(struct need *a, int64_t at_us);

/* fault.c */
int64_t fault_now_us(const struct fault *f);
uint64_t fault_draw(const struct fault *f, const struct fault_rule *rule, int dir, uint64_t index);
/* off UINT64_MAX: no place; dir -1: no direction. */
void fault_tell(const struct fault *f, const struct fault_spec *spec, int dir, uint64_t off, int64_t value);
void fault_wake(struct fault *f);	/* a caller that waits for the stream tries again soon */
void fault_send_later(struct fault *f); /* when the need of the outgoing direction says so */

/* fault_shape.c */
void shape_rule(struct fault *f, const struct fault_rule *rule, int dir);
void shape_comes(struct fault_way *w, int64_t at_us);			  /* bytes, or the end of them; before they are held */
int64_t shape_latency_us(const struct fault *f, int dir, uint64_t index); /* of a burst of bytes or of a datagram */
void shape_tell(struct fault *f, int dir, uint64_t off); /* each that concerns this direction, once, when bytes pass */
/* How many of at most `most` bytes of the head piece may pass now; 0: not before *at_us. */
size_t shape_allows(struct fault *f, int dir, const struct fault_piece *head, size_t most, int64_t *at_us);
void shape_passed(struct fault *f, int dir, size_t n);

/* fault_cut.c */
size_t cut_allows(const struct fault *f, int dir, size_t most); /* up to the next fault */
size_t cut_accepts(const struct fault *f, size_t most);		/* written bytes that will never pass are not taken */
void cut_passed(struct fault *f, int dir, size_t n);		/* reports changes, and runs the faults of this place */
void cut_change(struct fault *f, int dir, unsigned char *bytes, size_t n); /* the n bytes at the head, once */
void cut_look(struct fault *f, int dir);
void cut_clock(struct fault *f); /* runs the faults at a time; sets the clock for the next */
int cut_fails(struct fault *f);	 /* ST_FAIL with the words of the cut */

/* fault_bytes.c */
void bytes_send(struct fault *f); /* what may pass now */
ssize_t bytes_readv(struct stream *s, const struct iovec *v, int n);
ssize_t bytes_writev(struct stream *s, const struct iovec *v, int n);
int bytes_flush(struct stream *s);
int bytes_last(struct stream *s);
int bytes_shut(struct stream *s);

/* fault_dgram.c */
int dgram_send(struct fault *f); /* what may pass now: 0, ST_AGAIN, ST_FAIL */
ssize_t dgram_readv(struct stream *s, const struct iovec *v, int n);
ssize_t dgram_writev(struct stream *s, const struct iovec *v, int n);
int dgram_flush(struct stream *s);
int dgram_shut(struct stream *s);
const struct sa *dgram_sender(const struct stream *s);
void dgram_let_go(struct fault *f); /* sends held datagrams, whatever their time */

#endif
