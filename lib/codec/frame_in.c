/* Reading: bytes gather in `in` until the one at the front is a whole frame, which is handed up in as many pieces as the caller
 * has room for. Nothing is read from below while a frame is there, so a slow reader makes the peer wait.
 *
 * One call reads a bounded number of bytes from below: with a long frame of a fast peer it asks to be called again at once
 * through the loop, so that other sessions get their turn. */
#include "codec/frame_internal.h"

#include "stream/iov.h"

#include <errno.h>
#include <stdio.h>

enum { READ_MOST_BYTES = 64 * 1024, TURN_BYTES = 256 * 1024 };

struct taker { /* the caller's pieces, as they fill */
	const struct iovec *v;
	int n;
	size_t done;
};

static size_t frame_in_give(struct taker *t, const void *bytes, size_t n)
{
	size_t given = iov_scatter(t->v, t->n, t->done, bytes, n);
	t->done += given;
	return given;
}

/* Hands up what is left of the front frame, as far as there is room. True: all of it is out. */
static bool give_frame(struct frame *f, struct taker *t)
{
	size_t given = f->give > 0 ? frame_in_give(t, f->in.mem + f->in.at + f->give_at, f->give) : 0;
	f->give_at += given;
	f->give -= given;
	if (f->give == 0 && f->newline)
		f->newline = frame_in_give(t, "\n", 1) == 0;
	if (f->give > 0 || f->newline)
		return false;
	buf_drop(&f->in, f->used);
	f->used = 0;
	if (f->quota != UINT64_MAX)
		f->quota--;
	return true;
}

static void begin_frame(struct frame *f, size_t used, size_t at, size_t n)
{
	f->used = used;
	f->give_at = f->whole ? 0 : at;
	f->give = f->whole ? used : n;
	f->newline = !f->whole;
	f->seen = 0;
}

static int frame_in_bad(struct frame *f, const char *words)
{
	snprintf(f->in_words, sizeof f->in_words, "%s from", words);
	return stream_fail(&f->s, ERR_LOST, OF_PEER, 0, f->in_words);
}

static int cut_short(struct frame *f)
{
	char words[FRAMER_WORDS];
	snprintf(words, sizeof words, "frame cut off after %zu bytes", f->in.len);
	return frame_in_bad(f, words);
}

static int no_room(struct frame *f)
{
	return errno == ENOMEM ? stream_fail(&f->s, ERR_LOCAL, OF_PEER, ENOMEM, "keep a frame from")
			       : stream_fail(&f->s, ERR_LOCAL, OF_PEER, 0, "--memory has no room for the frame from");
}

/* Is a frame at the front? 1, 0, or FAIL: never. */
static int find_frame(struct frame *f)
{
	char words[FRAMER_WORDS];
	const unsigned char *p = f->in.mem + f->in.at;
	size_t at = 0, n = 0;
	if (f->in.len == 0)
		return 0;
	ssize_t used = framer_cut_on(f->framer, p, f->in.len, &f->seen, &at, &n);
	if (used == FRAMER_BAD)
		return frame_in_bad(f, framer_fault(f->framer, p, f->in.len, words));
	if (used > 0) {
		begin_frame(f, (size_t)used, at, n);
		return 1;
	}
	if (!f->ended)
		return 0;
	if (!framer_rest_is_frame(f->framer))
		return cut_short(f);
	begin_frame(f, f->in.len, 0, f->in.len);
	return 1;
}

/* Reads from below, after the bytes that are there: returns what below returns. */
static ssize_t take_in(struct frame *f)
{
	size_t most = f->framer->most + 2 * FRAMER_EDGE + READ_MOST_BYTES;
	if (buf_room(&f->in, 1, most) != 0)
		return no_room(f);
	size_t room = f->in.cap - f->in.at - f->in.len;
	ssize_t got = stream_read(
		f->s.below, f->in.mem + f->in.at + f->in.len, room < READ_MOST_BYTES ? room : (size_t)READ_MOST_BYTES);
	if (got > 0)
		f->in.len += (size_t)got;
	else
		buf_fit(&f->in);
	f->ended |= got == 0;
	return stream_up_rd(&f->s, got);
}

static ssize_t read_bytes(struct frame *f, struct taker *t)
{
	for (size_t taken = 0;;) {
		int found = f->quota > 0;
		while (found == 1 && (f->used == 0 || give_frame(f, t)))
			found = f->quota > 0 ? find_frame(f) : 0;
		if (t->done > 0)
			return (ssize_t)t->done;
		if (f->quota == 0)
			return 0;
		if (found == 0 && f->ended)
			buf_fit(&f->in);
		if (found < 0 || f->ended)
			return found;
		if (taken >= TURN_BYTES)
			return stream_again_rd(&f->s, &(struct need){ .timed = true });
		ssize_t got = take_in(f);
		if (got < 0)
			return got;
		taken += (size_t)got;
	}
}

/* The payload is the frame without its terminator, and an empty one is an empty line. There must be room for the LF. */
static ssize_t read_datagram(struct frame *f, struct taker *t)
{
	size_t room = iov_total(t->v, t->n), seen = 0, at = 0, n = 0;
	if (buf_room(&f->in, room, room) != 0)
		return no_room(f);
	ssize_t got = stream_read(f->s.below, f->in.mem, room - 1);
	if (got > 0 || got == ST_EMPTY) {
		size_t len = got > 0 ? (size_t)got : 0;
		bool one = framer_rest_is_frame(f->framer) &&
			   framer_cut_on(f->framer, f->in.mem, len, &seen, &at, &n) == (ssize_t)len;
		frame_in_give(t, f->in.mem, one ? n : len);
		frame_in_give(t, "\n", 1);
		got = (ssize_t)t->done;
	}
	buf_fit(&f->in);
	return stream_up_rd(&f->s, got);
}

ssize_t frame_readv(struct stream *s, const struct iovec *v, int n)
{
	struct frame *f = (struct frame *)s;
	struct taker t = { .v = v, .n = n };
	return s->caps & ST_DGRAM ? read_datagram(f, &t) : read_bytes(f, &t);
}

uint64_t *frame_quota(struct stream *s)
{
	return s->caps & ST_DGRAM ? NULL : &((struct frame *)s)->quota;
}

bool frame_holds(const struct stream *s)
{
	const struct frame *f = (const struct frame *)s;
	return f->in.len > 0 || f->newline;
}
