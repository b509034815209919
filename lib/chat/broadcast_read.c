/* Reading a member: bytes to whole lines of bounded length.
 *
 * All members share one scratch buffer; a read appends to the member's unfinished line there, whole lines are passed on from it,
 * and a new rest moves to memory of the member's own. A line over the limit is cut there and its rest skipped. A datagram is
 * never unfinished: a missing newline is added. */
#include "chat/broadcast_internal.h"

#include "base/mem.h"
#include "codec/framer.h"

#include <errno.h>
#include <string.h>

enum { READ_LINES_BYTES = 4096 }; /* a turn: a line of one byte may become one of thirty for each receiver */

static void broadcast_read_said(struct member *m, const unsigned char *bytes, size_t n, bool cut)
{
	bool deaf = m->session->ended || (m->leaving && !m->hears);
	if (n == 0 || deaf)
		return;
	m->broadcast->speaker = m;
	m->broadcast->ops->said(m, (const char *)bytes, n, cut);
	m->broadcast->speaker = NULL;
}

/* In an overlong line: skips to its end. Returns the rest of p. */
static size_t skip_rest(struct member *m, const unsigned char *p, size_t n)
{
	const unsigned char *lf = n > 0 ? memchr(p, '\n', n) : NULL;
	m->cut = lf == NULL;
	return lf == NULL ? n : (size_t)(lf - p) + 1;
}

static void drop_lines(const struct member *m, const unsigned char *p, size_t n)
{
	uint32_t lines = 0;
	for (size_t i = 0; i < n; i++)
		lines += p[i] == '\n';
	if (lines > 0)
		broadcast_lost(m, lines, "lines of a datagram");
}

/* Passes on the whole lines of p and returns their bytes; the rest is an unfinished line within the limit. */
static size_t broadcast_read_speak(struct member *m, unsigned char *p, size_t n)
{
	struct framer lines = framer_line;
	lines.most = m->broadcast->max_line;
	size_t from = m->cut ? skip_rest(m, p, n) : 0, to = from, at, len;
	for (;;) {
		ssize_t used = framer_cut(&lines, p + to, n - to, &at, &len);
		if (used == FRAMER_PARTIAL)
			break;
		if (used > 0) {
			to += (size_t)used;
		} else {
			to += lines.most;
			p[to++] = '\n'; /* in place of a dropped byte */
			broadcast_read_said(m, p + from, to - from, true);
			to += skip_rest(m, p + to, n - to);
			from = to;
		}
		if (to - from >= READ_LINES_BYTES) {
			broadcast_read_said(m, p + from, to - from, false);
			from = to;
		}
		if (broadcast_dgram(m) && !broadcast_may_hear(m)) { /* datagrams may be lost, memory is bounded */
			drop_lines(m, p + to, n - to);
			return n;
		}
	}
	broadcast_read_said(m, p + from, to - from, false);
	return to;
}

static void keep_rest(struct member *m, const unsigned char *p, size_t n)
{
	if (n == 0) {
		mem_free(m->line);
		m->line = NULL;
	} else if (n != m->line_len) {
		unsigned char *line = mem_grow(m->line, n);
		if (line == NULL) {
			broadcast_fail(m, ENOMEM, "keep a line from");
			return;
		}
		m->line = line;
	}
	if (n > 0)
		memcpy(m->line, p, n);
	m->line_len = (uint32_t)n;
}

/* What the peer has sent and is not read yet is no silence. */

static struct loop *loop_of(const struct member *m)
{
	return m->broadcast->service_run->run->loop;
}

static void await_rest(struct member *m, int64_t from_ms)
{
	bool waits = m->line_len > 0 && !m->keyed && !m->broadcast->whole_lines;
	loop_timer(loop_of(m), &m->silence, waits ? from_ms + BROADCAST_SILENCE_MS : NEVER);
}

void on_broadcast_silence(void *arg)
{
	struct member *m = arg;
	int64_t now_ms = loop_now(loop_of(m));
	bool read_all = m->rd_waits && broadcast_may_hear(m);
	if (now_ms < m->heard_ms + BROADCAST_SILENCE_MS || !read_all) {
		await_rest(m, read_all ? m->heard_ms : now_ms);
		return;
	}
	broadcast_hear_last(m);
	broadcast_look(m);
}

/* p: the kept bytes, then the new ones; room for one more byte. */
static void broadcast_read_heard(struct member *m, unsigned char *p, size_t n)
{
	if (m->broadcast->ops->raw) {
		broadcast_read_said(m, p, n, false);
		return;
	}
	if (broadcast_dgram(m) && p[n - 1] != '\n')
		p[n++] = '\n';
	bool began = m->line_len == 0;
	size_t used = broadcast_read_speak(m, p, n);
	keep_rest(m, p + used, n - used);
	if (began || used > 0)
		m->keyed = n - used == 1;
	m->heard_ms = loop_now(loop_of(m));
	if (m->silence.pos == 0)
		await_rest(m, m->heard_ms);
}

/* The unfinished line is the last one: it gets its newline. */
void broadcast_hear_last(struct member *m)
{
	size_t n = m->line_len;
	unsigned char *p = m->broadcast->scratch;
	if (n == 0)
		return;
	memcpy(p, m->line, n);
	p[n++] = '\n';
	keep_rest(m, p, 0);
	broadcast_read_said(m, p, n, false);
}

static void heard_eof(struct member *m)
{
	m->eof = true;
	broadcast_hear_last(m);
	if (m->session->ended || m->broken)
		return;
	if (m->leaving) {
		broadcast_depart(m);
		m->hears = false;
	} else if (m->broadcast->ops->finished != NULL) {
		m->broadcast->ops->finished(m);
	} else {
		broadcast_bye(m, END_PEER, false);
	}
}

void broadcast_hear(struct member *m)
{
	struct broadcast *r = m->broadcast;
	struct stream *s = m->session->stream;
	size_t kept = m->line_len, most = broadcast_dgram(m) || r->ops->raw ? BROADCAST_READ_BYTES : READ_LINES_BYTES;
	if (kept > 0)
		memcpy(r->scratch, m->line, kept);
	ssize_t got = stream_read(s, r->scratch + kept, most);
	m->rd_waits = got == ST_AGAIN;
	if (got > 0)
		broadcast_read_heard(m, r->scratch, kept + (size_t)got);
	else if (got == 0)
		heard_eof(m);
	if (got != ST_FAIL)
		return;
	struct why why = s->why; /* passing lines on may fail, too */
	m->eof = true;
	broadcast_hear_last(m);
	session_end(m->session, END_ERROR, CLOSE_PLAIN, m->broken ? &m->why : &why);
}
