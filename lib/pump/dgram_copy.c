/* The movers of batched datagrams. The result is that of copying (copy.c): the bytes of a read are cut to datagrams of one size
 * and a shorter last one, and the next read waits until all have gone; of datagrams to bytes as many are taken as there is room
 * for, also while the sink takes nothing.
 *
 * mover_dgram_split needs no memory of its own: the read bytes lie in one piece in the ring. mover_dgram_join receives into 64
 * slots of 64 KiB, of which the system provides only the touched pages, and writes from there; only for a full sink the datagrams
 * are moved together in the ring. */
#include "pump/dgram_copy.h"

#include "base/mem.h"
#include "stream/dgram_batch.h"
#include "stream/iov.h"

#include <string.h>

enum {
	APART = 17 * 64, /* an odd number of cache lines: slots at equal offsets would share the same few */
	PLACE_PER_BLOCK_BYTES = POOL_BLOCK_CLIENT / MSGS_MOST
};

struct gathered {
	struct msgs m;
	unsigned at; /* the ones before it have gone */
	unsigned char bytes[];
};

static void dgram_copy_count(struct flow *f, uint64_t messages)
{
	f->messages += messages;
	if (f->messages == f->most_messages)
		flow_set(f, FLOW_DRAIN);
}

/* Datagrams that may still be received. */
static uint64_t dgram_copy_allowed(const struct flow *f)
{
	return f->most_messages == 0 ? UINT64_MAX : f->most_messages - f->messages;
}

/* Bytes to datagrams */

static bool split_fits(const struct flow *f)
{
	return !flow_from_dgram(f) && flow_to_dgram(f) && !f->lines && f->to->ops->sendm != NULL;
}

static size_t cut_take(struct flow *f, size_t budget)
{
	struct iovec v[2];
	size_t cut = f->datagram_bytes != 0 ? f->datagram_bytes : FLOW_DATAGRAM_BYTES;
	uint64_t pieces = pool_block_bytes(f->pool) / cut, wanted = budget / cut;
	if (f->state != FLOW_OPEN || f->wait_from || f->ring.len > 0)
		return 0;
	pieces = pieces < wanted ? pieces : wanted;
	pieces = pieces < dgram_copy_allowed(f) ? pieces : dgram_copy_allowed(f);
	size_t most = pieces > 0 ? (size_t)pieces * cut : cut; /* at least one, even at the end of the turn */
	if (ring_wpeek(&f->ring, f->pool, v) < 0) {
		f->wait_pool = true;
		return 0;
	}
	v[0].iov_len = v[0].iov_len < most ? v[0].iov_len : most;
	ssize_t got = stream_readv(f->from, v, 1);
	ring_fill(&f->ring, f->pool, got > 0 ? (size_t)got : 0);
	if (got <= 0)
		return flow_from_said(f, got);
	f->in += (uint64_t)got;
	dgram_copy_count(f, ((size_t)got + cut - 1) / cut);
	return (size_t)got;
}

static size_t cut_give(struct flow *f)
{
	struct iovec v[2];
	struct msgs m = { 0 };
	size_t cut = f->datagram_bytes != 0 ? f->datagram_bytes : FLOW_DATAGRAM_BYTES;
	if (f->wait_to || f->state == FLOW_FAIL || ring_rpeek(&f->ring, v) == 0)
		return 0;
	for (unsigned char *p = v[0].iov_base, *end = p + v[0].iov_len; p < end && m.n < MSGS_MOST; p += m.v[m.n++].iov_len)
		m.v[m.n] = (struct iovec){ p, (size_t)(end - p) < cut ? (size_t)(end - p) : cut };
	int sent = stream_sendm(f->to, &m);
	if (sent < 0)
		return flow_to_said(f, sent);
	size_t put = iov_total(m.v, sent);
	ring_drop(&f->ring, f->pool, put);
	f->out += put;
	return put;
}

static size_t split_step(struct flow *f, size_t budget)
{
	size_t in = cut_take(f, budget);
	size_t out = cut_give(f);
	return out > 0 ? out : in; /* one read is written in several steps */
}

const struct mover mover_dgram_split = { .name = "cut", .fits = split_fits, .step = split_step };

/* Datagrams to bytes */

static bool join_fits(const struct flow *f)
{
	return flow_from_dgram(f) && !flow_to_dgram(f) && f->from->ops->recvm != NULL;
}

static void join_close(struct flow *f)
{
	mem_free(f->mover_mem);
	f->mover_mem = NULL;
}

static unsigned dgram_copy_places(const struct flow *f)
{
	size_t n = pool_block_bytes(f->pool) / PLACE_PER_BLOCK_BYTES;
	return n == 0 ? 1 : n < MSGS_MOST ? (unsigned)n : MSGS_MOST;
}

static struct gathered *join_mem(struct flow *f)
{
	if (f->mover_mem == NULL)
		f->mover_mem = mem_raw(sizeof(struct gathered) + dgram_copy_places(f) * (DGRAM_BATCH_SLOT_BYTES + APART));
	return f->mover_mem;
}

/* Returns the datagrams received; an empty one counts as a byte moved. */
static size_t join_take(struct flow *f)
{
	if (f->state != FLOW_OPEN || f->wait_from || f->held > 0)
		return 0;
	struct gathered *g = join_mem(f);
	if (g == NULL) {
		f->wait_pool = true;
		return 0;
	}
	g->at = 0;
	g->m.n = dgram_copy_allowed(f) < dgram_copy_places(f) ? (unsigned)dgram_copy_allowed(f) : dgram_copy_places(f);
	for (unsigned i = 0; i < g->m.n; i++)
		g->m.v[i] = (struct iovec){ g->bytes + i * (DGRAM_BATCH_SLOT_BYTES + APART), DGRAM_BATCH_SLOT_BYTES };
	int got = stream_recvm(f->from, &g->m);
	if (got < 0) {
		if (pool_block_bytes(f->pool) < POOL_BLOCK_CLIENT)
			join_close(f);
		return flow_from_said(f, got);
	}
	size_t sum = iov_total(g->m.v, (int)g->m.n);
	f->in += sum;
	f->held = f->drop ? 0 : sum;
	dgram_copy_count(f, (uint64_t)got);
	return sum + (unsigned)got;
}

/* n bytes, and the empty datagrams among and after them. */
static void dgram_copy_gone(struct flow *f, size_t n)
{
	struct gathered *g = f->mover_mem;
	for (f->held -= n; g->at < g->m.n; g->at++) {
		struct iovec *v = &g->m.v[g->at];
		size_t part = v->iov_len < n ? v->iov_len : n;
		*v = (struct iovec){ (char *)v->iov_base + part, v->iov_len - part };
		n -= part;
		if (v->iov_len > 0)
			return;
	}
}

/* The ring has older data. */
static size_t join_give(struct flow *f)
{
	struct iovec v[2 + MSGS_MOST];
	const struct gathered *g = f->mover_mem;
	if (f->wait_to || f->state == FLOW_FAIL || f->ring.len + f->held == 0)
		return 0;
	int n = ring_rpeek(&f->ring, v);
	for (unsigned i = f->held > 0 ? g->at : MSGS_MOST; i < MSGS_MOST && i < g->m.n; i++)
		v[n++] = g->m.v[i];
	ssize_t put = stream_writev(f->to, v, n);
	if (put < 0)
		return flow_to_said(f, put);
	size_t old = (size_t)put < f->ring.len ? (size_t)put : f->ring.len;
	if (old > 0)
		ring_drop(&f->ring, f->pool, old);
	if ((size_t)put > old)
		dgram_copy_gone(f, (size_t)put - old);
	f->out += (uint64_t)put;
	return (size_t)put;
}

/* The sink is full: into the ring, so that more can be received. */
static void dgram_copy_stow(struct flow *f)
{
	struct iovec v[2];
	const struct gathered *g = f->mover_mem;
	while (f->held > 0 && ring_wpeek(&f->ring, f->pool, v) > 0) {
		const struct iovec *from = &g->m.v[g->at];
		size_t n = from->iov_len < v[0].iov_len ? from->iov_len : v[0].iov_len;
		memcpy(v[0].iov_base, from->iov_base, n);
		ring_fill(&f->ring, f->pool, n);
		dgram_copy_gone(f, n);
	}
}

static size_t join_step(struct flow *f, size_t budget)
{
	(void)budget; /* at most one batch */
	size_t in = join_take(f);
	size_t out = join_give(f);
	if (f->wait_to)
		dgram_copy_stow(f);
	return in > out ? in : out;
}

const struct mover mover_dgram_join = { .name = "gather", .fits = join_fits, .step = join_step, .close = join_close };
