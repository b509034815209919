/* The mover of datagrams to lines with labels, or in hexadecimal: one datagram at a time is held, and written line by line into
 * the ring. A datagram that does not end with a newline gets one, because what follows is another's. */
#include "pump/dgram_copy.h"

#include "base/mem.h"
#include "codec/hex.h"

#include <string.h>

struct labelled {
	size_t len, at;
	bool whole; /* what was written last ended a line */
	size_t label_len;
	char label[FLOW_LABEL];
	unsigned char bytes[]; /* FLOW_DATAGRAM_MOST, or three times as many for a line in hexadecimal */
};

static bool label_fits(const struct flow *f)
{
	return (f->label != NULL || f->hex) && !f->drop && flow_from_dgram(f) && !flow_to_dgram(f);
}

static void label_close(struct flow *f)
{
	mem_free(f->mover_mem);
	f->mover_mem = NULL;
}

/* The datagram lies in the last third, which the text reaches only when that is read. */
static size_t label_hex(struct labelled *l, size_t got)
{
	char byte[3];
	for (size_t i = 0; i < got; i++) {
		hex_line(byte, l->bytes + 2 * FLOW_DATAGRAM_MOST + i, 1);
		byte[2] = i + 1 < got ? ' ' : '\n';
		memcpy(l->bytes + 3 * i, byte, sizeof byte);
	}
	return 3 * got;
}

/* Returns the bytes received; an empty datagram counts as one. */
static size_t label_take(struct flow *f)
{
	if (f->state != FLOW_OPEN || f->wait_from || f->held > 0)
		return 0;
	size_t room = f->hex ? 3 * FLOW_DATAGRAM_MOST : FLOW_DATAGRAM_MOST;
	struct labelled *l = f->mover_mem != NULL ? f->mover_mem : mem_raw(sizeof *l + room);
	f->mover_mem = l;
	if (l == NULL) {
		f->wait_pool = true;
		return 0;
	}
	ssize_t got = stream_read(f->from, l->bytes + room - FLOW_DATAGRAM_MOST, FLOW_DATAGRAM_MOST);
	if (got <= 0 && got != ST_EMPTY)
		return flow_from_said(f, got);
	f->in += got > 0 ? (uint64_t)got : 0;
	l->len = got > 0 ? (size_t)got : 0;
	if (f->hex)
		l->len = label_hex(l, l->len);
	l->at = 0;
	l->whole = true;
	l->label_len = f->label != NULL ? f->label(f->label_arg, f->from, l->label) : 0;
	f->held = l->len + 1; /* its end counts, too: the newline may be missing */
	if (++f->messages == f->most_messages)
		flow_set(f, FLOW_DRAIN);
	return l->len + 1;
}

static void label_put(struct flow *f, const void *bytes, size_t n)
{
	struct iovec v[2];
	for (const char *p = bytes; n > 0;) {
		ring_wpeek(&f->ring, f->pool, v);
		size_t part = n < v[0].iov_len ? n : v[0].iov_len;
		memcpy(v[0].iov_base, p, part);
		ring_fill(&f->ring, f->pool, part);
		p += part;
		n -= part;
	}
}

/* What the ring has room for: a line's label, and its bytes up to the newline. False: no room, or nothing is held. */
static bool label_line(struct flow *f)
{
	struct labelled *l = f->mover_mem;
	struct iovec v[2];
	if (f->held == 0)
		return false;
	if (ring_wpeek(&f->ring, f->pool, v) < 0) {
		f->wait_pool = true;
		return false;
	}
	size_t room = ring_room(&f->ring, f->pool);
	if (room < sizeof l->label + 2) /* the ring is not empty: it keeps its block */
		return false;
	const unsigned char *p = l->bytes + l->at, *lf = memchr(p, '\n', l->len - l->at);
	size_t line = lf != NULL ? (size_t)(lf - p) + 1 : l->len - l->at, most = room - sizeof l->label - 1;
	size_t part = line < most ? line : most;
	bool last = l->at + part == l->len;
	if (l->whole && (line > 0 || l->len == 0))
		label_put(f, l->label, l->label_len);
	label_put(f, p, part);
	l->whole = part > 0 && p[part - 1] == '\n';
	if (last && !l->whole)
		label_put(f, "\n", 1);
	l->at += part;
	f->held = last ? 0 : l->len - l->at + 1;
	return true;
}

static size_t label_step(struct flow *f, size_t budget)
{
	(void)budget; /* at most one datagram */
	size_t in = label_take(f);
	while (label_line(f))
		;
	size_t out = copy_give_out(f);
	return in > out ? in : out;
}

const struct mover mover_dgram_label = { .name = "label", .fits = label_fits, .step = label_step, .close = label_close };
