/* The mover that fits any flow, in two small steps: take in (source to ring) and give out (ring to sink). Its data keep the form
 * of the streams: a datagram stays one, bytes are cut to datagrams by size or by line, and datagrams to bytes are gathered. */
#include "pump/flow.h"

#include <string.h>

static uint32_t cut_bytes(const struct flow *f)
{
	return f->datagram_bytes != 0 ? f->datagram_bytes : FLOW_DATAGRAM_BYTES;
}

/* How many bytes may be read from the source now; 0: the ring must be emptied first. A flow that keeps message boundaries in the
 * ring holds one message at a time. */
static size_t copy_room(const struct flow *f)
{
	size_t free_bytes = ring_room(&f->ring, f->pool);
	bool busy = f->ring.len > 0 || f->empty;
	if (flow_from_dgram(f) && flow_to_dgram(f))
		return busy ? 0 : free_bytes;
	if (flow_from_dgram(f))
		return busy && free_bytes < FLOW_DATAGRAM_MOST ? 0 : free_bytes;
	if (!flow_to_dgram(f))
		return free_bytes;
	if (!f->lines)
		return busy ? 0 : cut_bytes(f);
	return f->ring.len < cut_bytes(f) ? cut_bytes(f) - f->ring.len : 0;
}

static int copy_limit(struct iovec v[2], int n, size_t most)
{
	if (v[0].iov_len >= most) {
		v[0].iov_len = most;
		return 1;
	}
	if (n == 2 && v[0].iov_len + v[1].iov_len > most)
		v[1].iov_len = most - v[0].iov_len;
	return n;
}

/* Bytes read, or 0 when none came: wait_from, wait_pool or state says why. An empty datagram counts as one byte moved. */
static size_t take_in(struct flow *f, size_t budget)
{
	struct iovec v[2];
	size_t most = f->state == FLOW_OPEN && !f->wait_from ? copy_room(f) : 0;
	if (most > budget && !flow_from_dgram(f) && !flow_to_dgram(f)) /* a turn that ends must not cut a datagram */
		most = budget;
	if (most == 0)
		return 0;
	int n = ring_wpeek(&f->ring, f->pool, v);
	if (n < 0) {
		f->wait_pool = true;
		return 0;
	}
	ssize_t got = stream_readv(f->from, v, copy_limit(v, n, most));
	ring_fill(&f->ring, f->pool, got > 0 ? (size_t)got : 0);
	if (got > 0 || got == ST_EMPTY) {
		f->in += got > 0 ? (uint64_t)got : 0;
		f->empty = got == ST_EMPTY && flow_to_dgram(f);
		if (++f->messages == f->most_messages)
			flow_set(f, FLOW_DRAIN);
		f->wait_from = f->from->dry && !f->last;
		return got > 0 ? (size_t)got : 1;
	}
	return flow_from_said(f, got);
}

/* Bytes to datagrams by line: how many bytes are in the next one; 0: no whole line yet. */
static size_t line_bytes(const struct flow *f, const struct iovec v[2], int n)
{
	size_t before = 0;
	for (int i = 0; i < n; i++) {
		const unsigned char *lf = memchr(v[i].iov_base, '\n', v[i].iov_len);
		if (lf != NULL)
			return before + (size_t)(lf - (const unsigned char *)v[i].iov_base) + 1;
		before += v[i].iov_len;
	}
	return before >= cut_bytes(f) || f->state != FLOW_OPEN ? before : 0;
}

/* Bytes written (an empty datagram counts as one), or 0: wait_to or state says why. */
size_t copy_give_out(struct flow *f)
{
	struct iovec v[2] = { { NULL, 0 } };
	int n = ring_rpeek(&f->ring, v);
	if ((n == 0 && !f->empty) || f->wait_to || f->state == FLOW_FAIL)
		return 0;
	size_t held = f->ring.len;
	if (f->drop) {
		ring_drop(&f->ring, f->pool, held);
		return held;
	}
	if (f->lines && flow_to_dgram(f)) {
		size_t line = line_bytes(f, v, n);
		if (line == 0)
			return 0;
		n = copy_limit(v, n, line);
	}
	ssize_t put = stream_writev(f->to, v, n == 0 ? 1 : n);
	if (put < 0)
		return flow_to_said(f, put);
	if (n == 0)
		f->empty = false;
	ring_drop(&f->ring, f->pool, (size_t)put);
	f->out += (uint64_t)put;
	return put > 0 ? (size_t)put : n == 0;
}

/* Otherwise small datagrams would be written one by one. */
static size_t take_more(struct flow *f, size_t budget)
{
	size_t sum = 0, in = 1;
	for (int i = 1; i < MSGS_MOST && in > 0; i++)
		sum += in = take_in(f, budget);
	return sum;
}

static size_t copy_step(struct flow *f, size_t budget)
{
	size_t in = take_in(f, budget);
	if (in > 0 && flow_from_dgram(f) && !flow_to_dgram(f))
		in += take_more(f, budget);
	size_t out = copy_give_out(f);
	return in > out ? in : out;
}

static bool copy_fits(const struct flow *f)
{
	(void)f;
	return true;
}

const struct mover mover_copy = { .name = "copy", .fits = copy_fits, .step = copy_step };
