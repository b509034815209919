/* What the two directions of the frame layer share. */
#ifndef CODEC_FRAME_INTERNAL_H
#define CODEC_FRAME_INTERNAL_H

#include "codec/frame.h"
#include "stream/buf.h"

enum { FRAME_WORDS = FRAMER_WORDS + 8 };

struct frame {
	struct stream s;
	const struct framer *framer;
	bool whole;
	/* received */
	struct buf in;
	size_t seen;		    /* of framer_cut_on */
	size_t give_at, give, used; /* of the front frame: the payload still to be read, and all its bytes; used 0: no frame */
	bool newline;		    /* an LF follows it */
	uint64_t quota;		    /* frames still to be handed up; UINT64_MAX: all */
	bool ended;		    /* the stream below has ended */
	char in_words[FRAME_WORDS];
	/* sent */
	struct buf line; /* not finished yet */
	struct buf out;	 /* frames that the stream below has not taken yet */
	bool refused;	 /* a line could not be a frame; nothing more can be written */
	char out_words[FRAME_WORDS];
};

/* frame_in.c */
ssize_t frame_readv(struct stream *s, const struct iovec *v, int n);
bool frame_holds(const struct stream *s);
uint64_t *frame_quota(struct stream *s);

ssize_t frame_writev(struct stream *s, const struct iovec *v, int n); /* frame_out.c */
int frame_flush(struct stream *s);
int frame_last(struct stream *s);
int frame_shut(struct stream *s);

#endif
