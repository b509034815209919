/* Framing, pure: where the first frame in some bytes begins and ends, and what stands around a frame that is sent. No memory, no
 * I/O, no state.
 *
 * A frame's payload is passed without its terminator or length. A peer's length is only compared with `most`; a caller keeps only
 * bytes that have come. */
#ifndef CODEC_FRAMER_H
#define CODEC_FRAMER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { FRAMER_PARTIAL = 0, FRAMER_BAD = -1 };
enum { FRAMER_EDGE = 24, FRAMER_WORDS = 128 };

enum frame_kind {
	FRAME_RAW,  /* all present bytes are a frame */
	FRAME_LINE, /* ends with LF; a CR before it is not part of the line */
	FRAME_CRLF, /* ends with CR LF; either alone is payload */
	FRAME_NUL,
	FRAME_NETSTRING, /* 5:hello, */
	FRAME_FIXED,	 /* `most` bytes, all of them */
	FRAME_U8,	 /* after its length, an unsigned number of so many bits */
	FRAME_U16BE,
	FRAME_U16LE,
	FRAME_U32BE,
	FRAME_U32LE
};

struct framer {
	enum frame_kind kind;
	size_t most; /* bytes of the longest payload; FRAME_FIXED: of every payload; FRAME_RAW: unused */
	bool incl;   /* U8 to U32LE: the length counts itself */
};

/* The default: lines of at most 1 MiB. */
extern const struct framer framer_line;

/* NAME[,max=SIZE][,incl] with the names of the kinds in lower case, fixed as fixed=N; max is 1 MiB by default. 0, or -1 with e
 * (ERR_USAGE). */
int framer_parse(struct framer *f, const char *spec, struct err *e);

/* The first frame of buf: returns the bytes it takes (with terminator or length), its payload at buf[*at], *n bytes;
 * FRAMER_PARTIAL: more bytes are needed; FRAMER_BAD: it can never be a frame, found as early as its bytes allow. */
ssize_t framer_cut(const struct framer *f, const void *buf, size_t len, size_t *at, size_t *n);
/* The same for a growing buffer: does not search again where it has searched. *seen is 0 for a new frame and is set while it is
 * partial. */
ssize_t framer_cut_on(const struct framer *f, const void *buf, size_t len, size_t *seen, size_t *at, size_t *n);

/* The words for a FRAMER_BAD of these bytes, after which "from PEER" can stand: "frame of 70000 bytes is over max 65536". */
const char *framer_fault(const struct framer *f, const void *buf, size_t len, char words[FRAMER_WORDS]);

/* The bytes before and after a payload of n bytes: 0, or -1: n bytes cannot be such a frame. The caller makes sure that a payload
 * holds neither its own terminator nor, at its end, the CR of one. */
int framer_dress(const struct framer *f, size_t n, unsigned char head[FRAMER_EDGE], size_t *head_n,
	unsigned char tail[FRAMER_EDGE], size_t *tail_n);

/* At the end of the input, is an unfinished frame complete all the same? An unterminated last line is; a frame whose length
 * promised more bytes is cut. */
bool framer_rest_is_frame(const struct framer *f);

/* Bytes of buf up to and with its last LF, 0 if there is none: what a broadcast of whole lines may take. */
size_t framer_whole_lines(const void *buf, size_t len);

#endif
