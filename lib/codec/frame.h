/* Frames on the wire, lines for the service: the layer of --frame.
 *
 * What is written is cut at LF, and each line goes down as one frame; each frame that comes is read as its payload and an LF.
 * A payload with an LF in it is read as lines. Over datagrams the frame is the datagram, with nothing around it; a terminator at
 * the end of one that comes is taken off.
 *
 * A bad frame, and one that the end of the input cuts, fails the read (ERR_LOST); a line that cannot be a frame fails the write
 * (ERR_LOCAL). What is kept grows with the bytes that have come, up to the longest frame; at rest it is exactly those. */
#ifndef CODEC_FRAME_H
#define CODEC_FRAME_H

#include "base/opt.h"
#include "base/budget.h"
#include "codec/framer.h"
#include "stream/stream.h"

extern const struct opt_group frame_opts; /* --frame */
struct frame_conf {
	bool wanted; /* and not raw */
	struct framer framer;
};

/* Stands on *top and replaces it; borrows framer and budget (NULL: its memory is bounded by the longest frame alone). whole:
 * nothing is translated, what is read comes in whole frames, exactly as it came, and what is written passes; for streams. -1: no
 * memory, *top as it was. */
int frame_push(struct stream **top, const struct framer *framer, struct budget *borrows, bool whole);

#endif
