/* The layer around a converter.
 *
 * Over a byte stream, converted bytes wait in `out` until the stream below takes them. A write returns the bytes of input that
 * it accepted, so a caller sees no difference. Over datagrams each writev is one datagram, converted whole and from a fresh
 * state; nothing is ever held. */
#include "codec/filter.h"

#include "base/mem.h"
#include "stream/buf.h"
#include "stream/iov.h"

#include <errno.h>

enum { HOLD_BYTES = 8192 };

struct filter {
	struct stream s;
	struct stream_ops ops; /* its own copy, for the name */
	filter_fn *convert;
	uint64_t state;
	struct buf out;
	bool ended; /* the converter has given its last bytes */
};

static struct filter *filter_self(struct stream *s)
{
	return (struct filter *)s;
}

/* Only called with nothing held. */
static int new_hold(struct filter *f)
{
	return buf_room(&f->out, HOLD_BYTES, HOLD_BYTES) == 0
		       ? 0
		       : stream_fail(&f->s, ERR_LOCAL, OF_PEER, ENOMEM, "convert what is sent to");
}

static ssize_t write_bytes(struct filter *f, const struct iovec *v, int n)
{
	int rc = buf_send(&f->out, &f->s);
	if (rc != 0 || (rc = new_hold(f)) != 0)
		return rc;
	ssize_t accepted = 0;
	for (int i = 0; i < n; i++) {
		size_t used = 0;
		f->out.len += f->convert(
			&f->state, v[i].iov_base, v[i].iov_len, &used, f->out.mem + f->out.len, HOLD_BYTES - f->out.len, false);
		accepted += (ssize_t)used;
		if (used < v[i].iov_len)
			break;
	}
	rc = buf_send(&f->out, &f->s);
	return rc == ST_FAIL ? rc : accepted;
}

static ssize_t write_datagram(struct filter *f, const struct iovec *v, int n)
{
	size_t total = iov_total(v, n), len = 0;
	uint64_t state = 0;
	size_t cap = total * FILTER_GROWTH + (size_t)(n + 1) * FILTER_SPARE;
	unsigned char *whole = mem_raw(cap);
	if (whole == NULL)
		return stream_fail(&f->s, ERR_LOCAL, OF_PEER, ENOMEM, "convert what is sent to");
	for (int i = 0; i < n; i++) {
		size_t used = 0;
		len += f->convert(&state, v[i].iov_base, v[i].iov_len, &used, whole + len, cap - len, i == n - 1);
	}
	ssize_t put = stream_write(f->s.below, whole, len);
	mem_free(whole);
	return put < 0 ? stream_up_wr(&f->s, put) : (ssize_t)total;
}

static ssize_t filter_writev(struct stream *s, const struct iovec *v, int n)
{
	return s->caps & ST_DGRAM ? write_datagram(filter_self(s), v, n) : write_bytes(filter_self(s), v, n);
}

/* A part of a character may stay in `state`: it is not shown before the rest has come. */
static int filter_flush(struct stream *s)
{
	return buf_flush(&filter_self(s)->out, s);
}

static int filter_shut(struct stream *s)
{
	struct filter *f = filter_self(s);
	int rc = buf_send(&f->out, &f->s);
	if (rc != 0)
		return rc;
	if (!f->ended && !(s->caps & ST_DGRAM)) {
		size_t used = 0;
		if ((rc = new_hold(f)) != 0)
			return rc;
		f->out.len = f->convert(&f->state, (const unsigned char *)"", 0, &used, f->out.mem, HOLD_BYTES, true);
		f->ended = true;
		if ((rc = buf_send(&f->out, &f->s)) != 0)
			return rc;
	}
	return stream_pass(s, stream_shut);
}

/* A filter does not change what is read. */
static int filter_rawfd(struct stream *s, bool write)
{
	return write ? -1 : stream_rawfd(s->below, false);
}

static void filter_close(struct stream *s, enum close_how how)
{
	struct filter *f = filter_self(s);
	stream_close(s->below, how);
	buf_free(&f->out);
	mem_free(f);
}

int filter_push(struct stream **top, const char *name, filter_fn *convert)
{
	struct filter *f = mem_new(sizeof *f);
	if (f == NULL)
		return -1;
	f->ops = (struct stream_ops){
		.name = name,
		.readv = stream_pass_readv,
		.writev = filter_writev,
		.flush = filter_flush,
		.shut = filter_shut,
		.close = filter_close,
		.rawfd = filter_rawfd,
	};
	f->convert = convert;
	stream_push(&f->s, &f->ops, *top);
	*top = &f->s;
	return 0;
}
