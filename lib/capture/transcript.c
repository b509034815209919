/* Transcripts (transcript.h). Long pieces of a stream are cut, because text2pcap takes at most 256 KiB a packet and its made-up
 * TCP headers 64; a datagram stays one. */
#include "capture/transcript.h"

#include "base/hexdump.h"
#include "base/mem.h"
#include "stream/observer.h"

#include <stdio.h>
#include <string.h>

enum { PIECE_BYTES = 32768, PEER_TEXT = 128, BUFFER = 16384 };

struct scribe {
	struct transcript *t;
	bool takes, dgram;
	uint32_t conn;
	char peer[PEER_TEXT];
};

struct page { /* lines on their way into the file */
	struct transcript *t;
	size_t len;
	char text[BUFFER];
};

static void transcript_out(struct page *p, bool more)
{
	struct iovec v = { p->text, p->len };
	output_file_write(&p->t->file, &v, 1, more);
	p->len = 0;
}

static void transcript_turn(struct page *p)
{
	transcript_out(p, false);
}

static char *transcript_room(struct page *p, size_t most)
{
	if (sizeof p->text - p->len < most)
		transcript_out(p, true);
	return p->text + p->len;
}

static void transcript_begin(struct page *p, struct scribe *s)
{
	enum { MOST = PEER_TEXT + 32 };
	p->t = s->t;
	p->len = 0;
	if (s->t->conn != s->conn)
		p->len += (size_t)snprintf(transcript_room(p, MOST), MOST, "# %u %s\n", (unsigned)s->conn, s->peer);
	s->t->conn = s->conn;
}

static void transcript_remark(struct scribe *s, bool in, const char *words)
{
	enum { MOST = 128 };
	struct page p;
	char time[WALLCLOCK_TEXT];
	transcript_begin(&p, s);
	p.len += (size_t)snprintf(
		transcript_room(&p, MOST), MOST, "# %c %s %s\n", in ? 'I' : 'O', wallclock_text(wallclock_us(), time), words);
	transcript_turn(&p);
}

static void put_line(struct page *p, size_t off, const unsigned char *bytes, size_t n)
{
	if (n > 0)
		p->len += hexdump_line(transcript_room(p, HEXDUMP_LINE), off, bytes, n);
}

/* One packet: the next `bytes` of the walk. */
static void put_packet(struct page *p, bool in, int64_t us, struct observer_walk *w, size_t bytes)
{
	unsigned char line[HEXDUMP_BYTES];
	size_t held = 0, off = 0, n;
	const unsigned char *part;
	p->len += hexdump_head(transcript_room(p, HEXDUMP_LINE), in, us);
	while (off + held < bytes && observer_next(w, HEXDUMP_BYTES - held, &part, &n)) {
		memcpy(line + held, part, n);
		held += n;
		if (held < HEXDUMP_BYTES && off + held < bytes)
			continue;
		put_line(p, off, line, held);
		off += held;
		held = 0;
	}
}

static const struct why *scribe_moved(void *self, enum observer_dir dir, const struct iovec *v, size_t len)
{
	struct scribe *s = self;
	struct page p;
	struct observer_walk w = { .v = v, .left = len };
	int64_t us = wallclock_us();
	if (s->t->file.fd < 0)
		return NULL;
	if (len == 0) {
		transcript_remark(s, dir == OBSERVER_IN, "empty datagram");
		return NULL;
	}
	transcript_begin(&p, s);
	while (w.left > 0)
		put_packet(&p, dir == OBSERVER_IN, us, &w, s->dgram || w.left < PIECE_BYTES ? w.left : PIECE_BYTES);
	transcript_turn(&p);
	return NULL;
}

static void scribe_ended(void *self, enum observer_dir dir)
{
	transcript_remark(self, dir == OBSERVER_IN, "end of data");
}

static void scribe_close(void *self, enum close_how how)
{
	struct scribe *s = self;
	(void)how;
	if (!s->takes)
		return;
	output_file_close(&s->t->file);
	mem_free(s->t);
}

int transcript_push(struct stream **top, struct transcript *t, bool takes, uint32_t conn, const char *peer)
{
	static const struct observer_ops ops = {
		.name = "transcript", .moved = scribe_moved, .ended = scribe_ended, .close = scribe_close
	};
	struct scribe *s = observer_push(top, &ops, sizeof *s);
	if (s == NULL)
		return -1;
	*s = (struct scribe){ .t = t, .takes = takes, .dgram = (*top)->caps & ST_DGRAM, .conn = conn };
	snprintf(s->peer, sizeof s->peer, "%s", peer);
	return 0;
}

static bool is_number(const char *p)
{
	return p[0] == '%' && p[1] == 'c';
}

bool transcript_apart(const char *file)
{
	for (const char *p = file; *p != '\0'; p += p[0] == '%' && p[1] != '\0' ? 2 : 1)
		if (is_number(p))
			return true;
	return false;
}

char *transcript_path(const char *file, uint32_t conn)
{
	enum { DIGITS = 10 };
	size_t cap = 1, len = 0;
	for (const char *p = file; *p != '\0'; p++)
		cap += *p == '%' ? DIGITS : 1;
	char *path = mem_new(cap);
	for (const char *p = file; path != NULL && *p != '\0'; p++) {
		if (is_number(p)) {
			len += (size_t)snprintf(path + len, cap - len, "%u", (unsigned)conn);
			p++;
		} else {
			path[len++] = *p;
			p += p[0] == '%' && p[1] == '%';
		}
	}
	return path;
}
