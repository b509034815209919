/* Frames on the wire, lines for the service: the layer of --frame.
 *
 * Written bytes are cut at LF, and each line goes down as one frame; each received frame is read as its payload and an LF. A
 * payload with an LF in it is read as several lines. Over datagrams the frame is the datagram, with nothing around it; a
 * terminator at the end of a received one is removed.
 *
 * A bad frame, or one that the end of the input cuts, fails the read (ERR_LOST); a line that cannot be a frame fails the write
 * (ERR_LOCAL). Memory grows with the received bytes, up to the longest frame; between frames it is exactly as large as they
 * need. */
#ifndef CODEC_FRAME_H
#define CODEC_FRAME_H

#include "base/opt.h"
#include "base/budget.h"
#include "codec/framer.h"
#include "stream/stream.h"

extern const struct opt_group frame_opts; /* --frame */
struct frame_conf {
	bool wanted; /* and it is not raw */
	struct framer framer;
};

/* Puts the layer on *top and replaces it; borrows framer and budget (NULL: only the longest frame bounds its memory). whole:
 * nothing is translated: reads return whole frames exactly as they came, writes pass; for streams only. -1: no memory, *top
 * unchanged. */
int frame_push(struct stream **top, const struct framer *framer, struct budget *borrows, bool whole);

#endif
