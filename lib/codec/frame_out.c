/* Writing: input is cut into lines, each is framed into `out`, and `out` goes down in large pieces; a write returns the bytes of
 * input that it accepted. The start of an unfinished line waits in `line`, because its length, which goes first, is not known
 * yet; it has been accepted, and no flush can send it: `last` and `shut` do.
 *
 * Over datagrams a line goes down at once or is not accepted. */
#include "codec/frame_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { OUT_BYTES = 64 * 1024 };

static bool frame_out_dgram(const struct frame *f)
{
	return f->s.caps & ST_DGRAM;
}

static int frame_out_add(struct frame *f, struct buf *b, const void *bytes, size_t n)
{
	return buf_add(b, bytes, n, SIZE_MAX) == 0 ? 0 : stream_fail(&f->s, ERR_LOCAL, OF_PEER, ENOMEM, "keep a frame for");
}

static int frame_out_refuse(struct frame *f, size_t n, const char *what)
{
	if (what != NULL)
		snprintf(f->out_words, sizeof f->out_words, "%s to", what);
	else
		snprintf(f->out_words, sizeof f->out_words, "line of %zu bytes does not fit into a frame to", n);
	f->refused = true;
	buf_free(&f->line);
	buf_send(&f->out, &f->s); /* first the whole frames before it */
	return stream_fail(&f->s, ERR_LOCAL, OF_PEER, 0, f->out_words);
}

/* A line of two parts, the kept start and the rest, and what goes around it. */
struct wrapped {
	const unsigned char *part[2];
	size_t n[2];
	unsigned char head[FRAMER_EDGE], tail[FRAMER_EDGE];
	size_t head_n, tail_n;
};

static bool ends_with_cr(const struct wrapped *d, unsigned i)
{
	return d->n[i] > 0 && d->part[i][d->n[i] - 1] == '\r';
}

static int frame_wrap(struct frame *f, const unsigned char *rest, size_t n, struct wrapped *d)
{
	*d = (struct wrapped){ .part = { f->line.mem + f->line.at, rest }, .n = { f->line.len, n } };
	unsigned last = n > 0;
	if (f->framer->kind == FRAME_CRLF && ends_with_cr(d, last)) /* it has its CR already */
		d->n[last]--;
	size_t all = d->n[0] + d->n[1];
	if (framer_dress(f->framer, all, d->head, &d->head_n, d->tail, &d->tail_n) != 0)
		return frame_out_refuse(f, all, NULL);
	for (unsigned i = 0; i < 2 && f->framer->kind == FRAME_NUL; i++)
		if (d->n[i] > 0 && memchr(d->part[i], '\0', d->n[i]) != NULL)
			return frame_out_refuse(f, all, "line with a zero byte does not fit into a frame");
	return 0;
}

static int end_in_stream(struct frame *f, const unsigned char *rest, size_t n)
{
	struct wrapped d;
	int rc = frame_wrap(f, rest, n, &d);
	if (rc == 0)
		rc = frame_out_add(f, &f->out, d.head, d.head_n);
	for (unsigned i = 0; i < 2 && rc == 0; i++)
		rc = frame_out_add(f, &f->out, d.part[i], d.n[i]);
	return rc != 0 ? rc : frame_out_add(f, &f->out, d.tail, d.tail_n);
}

/* Nothing but the line. */
static int end_in_datagram(struct frame *f, const unsigned char *rest, size_t n)
{
	struct wrapped d;
	if (frame_wrap(f, rest, n, &d) != 0)
		return ST_FAIL;
	const struct iovec v[2] = { { (void *)(uintptr_t)d.part[0], d.n[0] }, { (void *)(uintptr_t)d.part[1], d.n[1] } };
	ssize_t put = stream_writev(f->s.below, v, 2);
	return put < 0 ? (int)stream_up_wr(&f->s, put) : 0;
}

/* The line ends with these bytes. AGAIN: nothing has changed. */
static int end_line(struct frame *f, const unsigned char *rest, size_t n)
{
	int rc = frame_out_dgram(f) ? end_in_datagram(f, rest, n) : end_in_stream(f, rest, n);
	if (rc == 0)
		buf_free(&f->line);
	return rc;
}

/* The line continues with these bytes. A line that is too long is refused at once, not at its end. */
static int frame_out_keep(struct frame *f, const unsigned char *bytes, size_t n)
{
	if (f->line.len + n > f->framer->most + 1)
		return frame_out_refuse(f, f->line.len + n, NULL);
	return frame_out_add(f, &f->line, bytes, n);
}

/* Takes as much of one piece as possible now, counted in *used: 0, AGAIN or FAIL. */
static int frame_out_take(struct frame *f, const unsigned char *p, size_t n, size_t *used)
{
	int rc = 0;
	for (*used = 0; *used < n && rc == 0;) {
		if (f->out.len >= OUT_BYTES && (rc = buf_send(&f->out, &f->s)) != 0)
			break;
		const unsigned char *lf = memchr(p + *used, '\n', n - *used);
		size_t len = lf != NULL ? (size_t)(lf - p) - *used : n - *used;
		rc = lf != NULL ? end_line(f, p + *used, len) : frame_out_keep(f, p + *used, len);
		*used += rc == 0 ? len + (lf != NULL) : 0;
	}
	return rc;
}

ssize_t frame_writev(struct stream *s, const struct iovec *v, int n)
{
	struct frame *f = (struct frame *)s;
	ssize_t accepted = 0;
	if (f->whole)
		return stream_pass_writev(s, v, n);
	if (f->refused)
		return stream_fail(s, ERR_LOCAL, OF_PEER, 0, f->out_words);
	int rc = buf_send(&f->out, &f->s);
	for (int i = 0; i < n && rc == 0; i++) {
		size_t used = 0;
		rc = frame_out_take(f, v[i].iov_base, v[i].iov_len, &used);
		accepted += (ssize_t)used;
	}
	if (rc == 0)
		rc = buf_send(&f->out, &f->s);
	return rc == ST_FAIL || accepted == 0 ? rc : accepted;
}

int frame_flush(struct stream *s)
{
	return buf_flush(&((struct frame *)s)->out, s);
}

/* Frames the unfinished last line. */
static int end_all(struct frame *f)
{
	int rc = buf_send(&f->out, &f->s);
	if (rc == 0 && f->line.len > 0)
		rc = end_line(f, NULL, 0);
	return rc != 0 ? rc : buf_send(&f->out, &f->s);
}

int frame_last(struct stream *s)
{
	int rc = end_all((struct frame *)s);
	return rc != 0 ? rc : stream_pass(s, stream_last);
}

int frame_shut(struct stream *s)
{
	int rc = end_all((struct frame *)s);
	return rc != 0 ? rc : stream_pass(s, stream_shut);
}
