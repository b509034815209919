/* Records (record.h). Each piece that passes is one step, however long, because several steps would each have to come within one
 * timeout when played. Its bytes are cut into lines of readable length, at newlines in text; each line is a string or
 * hexadecimal. */
#include "capture/record.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/wallclock.h"
#include "stream/observer.h"

#include <stdio.h>
#include <string.h>

enum {
	TEXT_BYTES = 72, /* a line */
	HEX_BYTES = 24,
	WINDOW = 96,
	LINE_MOST = 4 * TEXT_BYTES + 32,
	BUFFER = 16384
};

struct scribe {
	struct record *r;
	const struct loop *loop;
	bool takes;
	bool shut;   /* our end was sent, and is not written yet */
	bool broken; /* the end was not ours */
	uint32_t conn;
	int64_t last_ms; /* when something passed */
};

struct page { /* lines on their way into the file */
	struct record *r;
	size_t len;
	char text[BUFFER];
};

static void record_out(struct page *p, bool more)
{
	struct iovec v = { p->text, p->len };
	output_file_write(&p->r->file, &v, 1, more);
	p->len = 0;
}

static void record_turn(struct page *p)
{
	record_out(p, false);
}

static char *record_room(struct page *p, size_t most)
{
	if (sizeof p->text - p->len < most)
		record_out(p, true);
	return p->text + p->len;
}

static void record_put(struct page *p, const char *text)
{
	size_t n = strlen(text);
	memcpy(record_room(p, n), text, n);
	p->len += n;
}

/* --- where and when --- */

/* In the section of this connection. */
static void record_begin(struct page *p, struct scribe *s)
{
	char line[32];
	p->r = s->r;
	p->len = 0;
	if (s->r->conn == s->conn)
		return;
	snprintf(line, sizeof line, "conn %u\n", (unsigned)s->conn);
	record_put(p, s->conn == s->r->first ? "conn *\n" : line);
	s->r->conn = s->conn;
}

static void pause_since(struct page *p, struct scribe *s)
{
	char line[48];
	int64_t now_ms = loop_now(s->loop), gap_ms = now_ms - s->last_ms;
	s->last_ms = now_ms;
	if (gap_ms <= RECORD_GAP_MS)
		return;
	snprintf(line, sizeof line, "wait %lldms\n", (long long)gap_ms);
	record_put(p, line);
}

/* --- bytes --- */

/* The character at p as written in a string: its bytes, or 0: it cannot stand there. */
static size_t record_sign(const unsigned char *p, size_t n)
{
	uint32_t cp = 0;
	int len = utf8_decode(p, n, &cp);
	return len > 0 && text_printable(cp) ? (size_t)len : 0;
}

static size_t record_escape(char *out, unsigned char c)
{
	static const char bytes[] = "\n\r\t\"\\$", names[] = "nrt\"\\$";
	const char *at = c != '\0' ? strchr(bytes, c) : NULL;
	return (size_t)(at != NULL ? sprintf(out, "\\%c", names[at - bytes]) : sprintf(out, "\\x%02x", (unsigned)c));
}

static bool is_text(const unsigned char *p, size_t n)
{
	size_t odd = 0, len;
	n = n < HEX_BYTES ? n : HEX_BYTES;
	for (size_t i = 0; i < n; i += len) {
		len = record_sign(p + i, n - i);
		odd += len == 0 && p[i] != '\n' && p[i] != '\r' && p[i] != '\t';
		len = len > 0 ? len : 1;
	}
	return odd * 4 <= n;
}

/* The next line of n bytes: returns how many of them it took. */
static size_t put_text(char *out, const unsigned char *p, size_t n, size_t *out_n)
{
	size_t used = 0, at = 0;
	out[at++] = '"';
	while (used < n && used < TEXT_BYTES) {
		unsigned char c = p[used];
		size_t len = c == '"' || c == '\\' || c == '$' ? 0 : record_sign(p + used, n - used);
		if (used + len > TEXT_BYTES)
			break;
		if (len > 0)
			memcpy(out + at, p + used, len);
		at += len > 0 ? len : record_escape(out + at, c);
		used += len > 0 ? len : 1;
		if (c == '\n')
			break;
	}
	out[at++] = '"';
	*out_n = at;
	return used;
}

static size_t put_hex(char *out, const unsigned char *p, size_t n, size_t *out_n)
{
	size_t used = 0, at = (size_t)sprintf(out, "x\"");
	for (; used < n && used < HEX_BYTES; used++)
		at += (size_t)sprintf(out + at, "%s%02x", used > 0 ? " " : "", (unsigned)p[used]);
	out[at++] = '"';
	*out_n = at;
	return used;
}

static void put_data(struct page *p, const char *verb, struct observer_walk *w)
{
	unsigned char window[WINDOW];
	const unsigned char *part;
	size_t held = 0, n;
	record_put(p, verb);
	for (;;) {
		while (held < WINDOW && observer_next(w, WINDOW - held, &part, &n)) {
			memcpy(window + held, part, n);
			held += n;
		}
		char *out = record_room(p, LINE_MOST);
		size_t used = is_text(window, held) ? put_text(out, window, held, &n) : put_hex(out, window, held, &n);
		p->len += n;
		held -= used;
		memmove(window, window + used, held);
		if (held == 0) /* the window is longer than any line: v is empty, too */
			break;
		record_put(p, " \\\n       ");
	}
	record_put(p, "\n");
}

/* --- what happens --- */

static const struct why *scribe_moved(void *self, enum observer_dir dir, const struct iovec *v, size_t len)
{
	struct scribe *s = self;
	struct page p;
	struct observer_walk w = { .v = v, .left = len };
	if (s->r->file.fd < 0)
		return NULL;
	record_begin(&p, s);
	if (s->shut)
		record_put(&p, "shut\n");
	s->shut = false;
	pause_since(&p, s);
	put_data(&p, dir == OBSERVER_IN ? "expect " : "send   ", &w);
	record_turn(&p);
	return NULL;
}

static void scribe_ended(void *self, enum observer_dir dir)
{
	struct scribe *s = self;
	struct page p;
	record_begin(&p, s);
	pause_since(&p, s);
	if (dir == OBSERVER_IN)
		record_put(&p, "# the peer's end\n");
	s->shut |= dir == OBSERVER_OUT;
	record_turn(&p);
}

static void scribe_broke(void *self, const struct why *why)
{
	struct scribe *s = self;
	struct page p;
	char line[160];
	struct err e;
	record_begin(&p, s);
	err_why(&e, why, NULL);
	snprintf(line, sizeof line, "# broken: %.140s\n", e.what);
	record_put(&p, line);
	s->broken = true;
	record_turn(&p);
}

static void scribe_secured(void *self)
{
	struct scribe *s = self;
	struct page p;
	record_begin(&p, s);
	record_put(&p, "starttls\n");
	s->last_ms = loop_now(s->loop);
	record_turn(&p);
}

static void scribe_close(void *self, enum close_how how)
{
	struct scribe *s = self;
	struct page p;
	record_begin(&p, s);
	if (!s->shut && !s->broken)
		pause_since(&p, s);
	if (!s->broken)
		record_put(&p, how == CLOSE_RST ? "rst\n" : "close\n");
	record_turn(&p);
	if (!s->takes)
		return;
	output_file_close(&s->r->file);
	mem_free(s->r);
}

/* The first connection has no section, because a replay has other numbers. */
static void put_head(struct scribe *s, const char *ends)
{
	struct page p;
	char line[256], time[WALLCLOCK_TEXT];
	bool first = s->r->first == 0;
	if (first)
		s->r->first = s->r->conn = s->conn;
	record_begin(&p, s);
	snprintf(line, sizeof line, "# %u: %.160s, %s\n%s", (unsigned)s->conn, ends, wallclock_text(wallclock_us(), time),
		first ? "frame raw\n" : "");
	record_put(&p, line);
	record_turn(&p);
}

int record_push(struct stream **top, struct record *r, bool takes, uint32_t conn, const char *ends, const struct loop *loop)
{
	static const struct observer_ops ops = {
		.name = "record",
		.moved = scribe_moved,
		.ended = scribe_ended,
		.broke = scribe_broke,
		.secured = scribe_secured,
		.close = scribe_close,
	};
	struct scribe *s = observer_push(top, &ops, sizeof *s);
	if (s == NULL)
		return -1;
	*s = (struct scribe){ .r = r, .loop = loop, .takes = takes, .conn = conn, .last_ms = loop_now(loop) };
	put_head(s, ends);
	return 0;
}
