/* What the two directions of the frame layer share. */
#ifndef CODEC_FRAME_INTERNAL_H
#define CODEC_FRAME_INTERNAL_H

#include "base/budget.h"
#include "codec/frame.h"

enum { FRAME_WORDS = FRAMER_WORDS + 8 };

struct bytes { /* a growing buffer; mem is NULL while it is not used */
	unsigned char *mem;
	size_t at, len, cap;   /* len bytes from at on */
	struct budget *budget; /* cap is taken from it; NULL: without a bound */
};

struct frame {
	struct stream s;
	const struct framer *framer;
	bool whole;
	/* received */
	struct bytes in;
	size_t seen;		    /* of framer_cut_on */
	size_t give_at, give, used; /* of the front frame: the payload still to be read, and all its bytes; used 0: no frame */
	bool newline;		    /* an LF follows it */
	bool ended;		    /* the stream below has ended */
	char in_words[FRAME_WORDS];
	/* sent */
	struct bytes line; /* not finished yet */
	struct bytes out;  /* frames that the stream below has not taken yet */
	bool refused;	   /* a line could not be a frame; nothing more can be written */
	char out_words[FRAME_WORDS];
};

/* frame_in.c */
ssize_t frame_readv(struct stream *s, const struct iovec *v, int n);
bool frame_holds(const struct stream *s);

ssize_t frame_writev(struct stream *s, const struct iovec *v, int n); /* frame_out.c */
int frame_flush(struct stream *s);
int frame_last(struct stream *s);
int frame_shut(struct stream *s);

/* Makes room for `more` bytes after the present ones, by doubling, up to `most` in all if that is enough. -1: no memory (ENOMEM),
 * or more than the budget allows (ENOBUFS). */
int bytes_room(struct bytes *b, size_t more, size_t most);
void bytes_drop(struct bytes *b, size_t n); /* from the front */
void bytes_fit(struct bytes *b);	    /* gives back unused memory */

#endif
