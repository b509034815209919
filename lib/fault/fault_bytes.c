/* The two directions of a byte stream, each with its queue. Written bytes are taken while there is room and pass at their time;
 * received bytes are read from below at once, so that their delay counts from when they came.
 *
 * Every call serves both directions: a caller that only reads, as a handshake does while it waits for its answer, also sends held
 * bytes. So a waiting reader needs what both directions need, a waiting writer only its own. */
#include "fault/fault_internal.h"

#include "stream/iov.h"

enum { READ_BYTES = 16 * 1024, SINK_BYTES = 1024 * 1024 /* dropped in one call */ };

static struct fault *fault_bytes_self(struct stream *s)
{
	return (struct fault *)s;
}

/* --- what is sent --- */

static void fault_bytes_broke(struct fault_way *w, const struct why *why)
{
	w->end = FAULT_BROKE;
	w->why = *why;
}

/* The end goes out after the last byte. */
static void send_end(struct fault *f)
{
	struct fault_way *w = &f->way[FAULT_OUT];
	if (w->end != FAULT_ENDED || f->shut_below || w->stalled)
		return;
	if (w->end_us > fault_now_us(f)) {
		need_time(&w->need, w->end_us);
		return;
	}
	int rc = stream_shut(f->s.below);
	if (rc == ST_AGAIN)
		w->need = f->s.below->wr;
	else if (rc == 0)
		f->shut_below = true;
	else
		fault_bytes_broke(w, &f->s.below->why);
}

static void send_held(struct fault *f)
{
	struct fault_way *w = &f->way[FAULT_OUT];
	while (w->first != NULL && !w->stalled && w->end != FAULT_BROKE && f->cut == 0) {
		struct fault_piece *p = w->first;
		int64_t at_us = 0;
		size_t n = shape_allows(f, FAULT_OUT, p, cut_allows(f, FAULT_OUT, p->len), &at_us);
		if (n == 0) {
			need_time(&w->need, at_us);
			return;
		}
		cut_change(f, FAULT_OUT, p->bytes + p->at, n);
		ssize_t put = stream_write(f->s.below, p->bytes + p->at, n);
		if (put == ST_AGAIN) {
			w->need = f->s.below->wr;
			return;
		}
		if (put < 0) {
			fault_bytes_broke(w, &f->s.below->why);
			return;
		}
		hold_drop(w, (size_t)put);
		shape_passed(f, FAULT_OUT, (size_t)put);
		cut_passed(f, FAULT_OUT, (size_t)put);
	}
	if (w->first == NULL)
		send_end(f);
}

void bytes_send(struct fault *f)
{
	f->way[FAULT_OUT].need = (struct need){ 0 };
	if (f->cut == 0)
		send_held(f);
	fault_send_later(f);
}

/* Runs before each call: 0, or what the call must return. */
static int go_on(struct fault *f)
{
	cut_clock(f);
	bytes_send(f);
	if (f->cut_done)
		return cut_fails(f);
	if (f->cut == 0)
		return 0;
	f->s.wr = (struct need){ .wake = true };
	return stream_again_rd(&f->s, &f->s.wr);
}

static int write_broke(struct fault *f)
{
	f->s.why = f->way[FAULT_OUT].why;
	return ST_FAIL;
}

static int write_again(struct fault *f)
{
	return stream_again_wr(&f->s, &f->way[FAULT_OUT].need);
}

ssize_t bytes_writev(struct stream *s, const struct iovec *v, int n)
{
	struct fault *f = fault_bytes_self(s);
	struct fault_way *w = &f->way[FAULT_OUT];
	size_t total = iov_total(v, n);
	int rc = go_on(f);
	if (rc != 0)
		return rc;
	if (w->end == FAULT_BROKE)
		return write_broke(f);
	if (w->sinks || w->over)
		return (ssize_t)total;
	size_t room = hold_room(w);
	size_t most = cut_accepts(f, total < room ? total : room);
	if (total == 0)
		return 0;
	if (most == 0) {
		w->dry = false;
		return write_again(f);
	}
	shape_comes(w, fault_now_us(f));
	if (hold_add(w, v, n, most, fault_now_us(f)) != 0)
		return stream_fail(s, ERR_LOCAL, OF_PEER, ENOMEM, "delay what is sent to");
	w->dry = most == total;
	w->asked_us = w->last_us = 0;
	bytes_send(f);
	return w->end == FAULT_BROKE ? write_broke(f) : (ssize_t)most;
}

int bytes_flush(struct stream *s)
{
	struct fault *f = fault_bytes_self(s);
	struct fault_way *w = &f->way[FAULT_OUT];
	int rc = go_on(f);
	if (rc != 0)
		return rc;
	if (w->end == FAULT_BROKE)
		return write_broke(f);
	if (w->first != NULL) {
		if (w->asked_us == 0 || w->moved_us <= w->asked_us) /* else the caller asks again because bytes have passed */
			w->asked_us = fault_now_us(f);
		return write_again(f);
	}
	return stream_pass(s, stream_flush);
}

int bytes_last(struct stream *s)
{
	struct fault *f = fault_bytes_self(s);
	struct fault_way *w = &f->way[FAULT_OUT];
	w->last_us = w->last_us != 0 ? w->last_us : fault_now_us(f);
	return bytes_flush(s);
}

/* The owner said no end before: if it asks for one when the last byte has gone, it has waited for that. */
static int64_t end_came_us(const struct fault *f)
{
	const struct fault_way *w = &f->way[FAULT_OUT];
	if (w->last_us != 0)
		return w->last_us;
	return w->moved_us == fault_now_us(f) && w->asked_us != 0 ? w->asked_us : fault_now_us(f);
}

static void tell_slow(const struct fault *f)
{
	for (const struct fault_rule *r = f->slow_ms > 0 ? f->rules : NULL; r != NULL; r = r->next)
		if (r->spec.kind == FAULT_SLOW_CLOSE)
			fault_tell(f, &r->spec, -1, UINT64_MAX, r->spec.a * 1000);
}

int bytes_shut(struct stream *s)
{
	struct fault *f = fault_bytes_self(s);
	struct fault_way *w = &f->way[FAULT_OUT];
	if (w->end == FAULT_OPEN && !w->over && f->cut == 0) {
		w->end = FAULT_ENDED;
		int64_t came_us = end_came_us(f);
		shape_comes(w, came_us);
		w->end_us = came_us + shape_latency_us(f, FAULT_OUT, w->burst) + f->slow_ms * 1000;
		tell_slow(f);
	}
	int rc = go_on(f);
	if (f->shut_below)
		return 0;
	if (rc != 0)
		return rc;
	return w->end == FAULT_BROKE ? write_broke(f) : write_again(f);
}

/* --- receiving --- */

/* One read of the bytes below. True: read again. */
static bool fault_bytes_take(struct fault *f)
{
	struct fault_way *w = &f->way[FAULT_IN];
	unsigned char bytes[READ_BYTES];
	size_t room = hold_room(w);
	if (w->end != FAULT_OPEN || w->stalled || room == 0)
		return false;
	struct iovec v = { bytes, room < sizeof bytes ? room : sizeof bytes };
	ssize_t got = stream_readv(f->s.below, &v, 1);
	if (got == ST_AGAIN) {
		w->dry = true;
		need_join(&w->need, &f->s.below->rd);
		return false;
	}
	if (got > 0 && w->sinks)
		return true;
	shape_comes(w, fault_now_us(f));
	w->dry = got > 0 && (size_t)got < v.iov_len;
	static const struct why no_memory = { ERR_LOCAL, OF_PEER, ENOMEM, "delay what came from" };
	bool lost = got > 0 && hold_add(w, &v, 1, (size_t)got, fault_now_us(f)) != 0;
	if (got > 0 && !lost)
		return true;
	w->end = got == 0 ? FAULT_ENDED : FAULT_BROKE;
	w->end_us = fault_now_us(f) + shape_latency_us(f, FAULT_IN, w->burst);
	w->why = lost ? no_memory : f->s.below->why;
	return false;
}

/* Bytes whose time has come, into v: at most one chunk. */
static size_t fault_bytes_give(struct fault *f, const struct iovec *v, int n)
{
	struct fault_way *w = &f->way[FAULT_IN];
	size_t total = iov_total(v, n), done = 0;
	uint64_t chunk = w->chunk_i;
	while (w->first != NULL && done < total && !w->stalled && f->cut == 0 && w->chunk_i == chunk) {
		struct fault_piece *p = w->first;
		int64_t at_us = 0;
		size_t most = p->len < total - done ? p->len : total - done;
		most = shape_allows(f, FAULT_IN, p, cut_allows(f, FAULT_IN, most), &at_us);
		if (most == 0) {
			need_time(&w->need, at_us);
			break;
		}
		cut_change(f, FAULT_IN, p->bytes + p->at, most);
		done += iov_scatter(v, n, done, p->bytes + p->at, most);
		hold_drop(w, most);
		shape_passed(f, FAULT_IN, most);
		cut_passed(f, FAULT_IN, most);
	}
	return done;
}

/* After the last byte: 0, ST_FAIL, or ST_AGAIN. */
static int read_end(struct fault *f)
{
	struct fault_way *w = &f->way[FAULT_IN];
	if (w->first == NULL && w->end != FAULT_OPEN && !w->stalled) {
		if (w->end_us <= fault_now_us(f)) {
			f->s.why = w->why;
			return w->end == FAULT_BROKE ? ST_FAIL : 0;
		}
		need_time(&w->need, w->end_us);
	}
	f->s.rd = w->need;
	need_join(&f->s.rd, &f->way[FAULT_OUT].need);
	return ST_AGAIN;
}

ssize_t bytes_readv(struct stream *s, const struct iovec *v, int n)
{
	struct fault *f = fault_bytes_self(s);
	struct fault_way *w = &f->way[FAULT_IN];
	if (f->leaving)
		return stream_pass_readv(s, v, n);
	int rc = go_on(f);
	if (rc != 0)
		return rc;
	bool more = true;
	for (size_t reads = 0; more && reads < SINK_BYTES / READ_BYTES; reads++) {
		w->need = (struct need){ 0 };
		more = fault_bytes_take(f);
		size_t got = fault_bytes_give(f, v, n);
		if (got > 0)
			return (ssize_t)got;
		if (f->cut != 0)
			return go_on(f);
	}
	if (more)
		need_time(&w->need, fault_now_us(f));
	return read_end(f);
}
