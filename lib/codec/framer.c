/* Where the first frame ends, from the bytes alone. A bad frame is found as early as its bytes allow, so that a caller never
 * keeps more of an endless line than the longest allowed. framer_spec.c reads how a framing is written. */
#include "codec/framer.h"

#include <stdio.h>
#include <string.h>

const struct framer framer_line = { .kind = FRAME_LINE, .most = 1024 * 1024 };

/* Bytes of a length before the payload; 0: this kind has none. */
static size_t framer_width(const struct framer *f)
{
	static const unsigned char widths[] = {
		[FRAME_U8] = 1, [FRAME_U16BE] = 2, [FRAME_U16LE] = 2, [FRAME_U32BE] = 4, [FRAME_U32LE] = 4
	};
	return f->kind >= FRAME_U8 ? widths[f->kind] : 0;
}

static bool framer_little(const struct framer *f)
{
	return f->kind == FRAME_U16LE || f->kind == FRAME_U32LE;
}

/* --- kinds with a terminator --- */

/* The last byte of the terminator in p, not before `from`; NULL: none. */
static const unsigned char *framer_terminator(const struct framer *f, const unsigned char *p, size_t from, size_t len)
{
	while (from < len) {
		const unsigned char *at = memchr(p + from, f->kind == FRAME_NUL ? '\0' : '\n', len - from);
		if (at == NULL || f->kind != FRAME_CRLF || (at > p && at[-1] == '\r'))
			return at;
		from = (size_t)(at - p) + 1;
	}
	return NULL;
}

/* A last CR may belong to the terminator, and then does not count. */
static ssize_t terminated_cut(const struct framer *f, const unsigned char *p, size_t len, size_t *seen, size_t *n)
{
	const unsigned char *end = framer_terminator(f, p, *seen, len);
	size_t size = end != NULL ? (size_t)(end - p) : len;
	size_t used = end != NULL ? size + 1 : (size_t)FRAMER_PARTIAL;
	if (f->kind != FRAME_NUL && size > 0 && p[size - 1] == '\r')
		size--;
	if (size > f->most)
		return FRAMER_BAD;
	*seen = end != NULL ? 0 : len;
	*n = size;
	return (ssize_t)used;
}

/* --- kinds with a length --- */

/* A length of which only some digits or bytes are there: the least that it can be. */
struct length {
	size_t bytes; /* bytes of the length itself */
	unsigned long long least;
	bool whole, bad;
};

static struct length binary_length(const struct framer *f, const unsigned char *p, size_t len)
{
	struct length l = { .bytes = framer_width(f) };
	size_t have = len < l.bytes ? len : l.bytes;
	for (size_t i = 0; i < have; i++)
		l.least |= (unsigned long long)p[i] << 8 * (framer_little(f) ? i : l.bytes - 1 - i);
	l.whole = have == l.bytes;
	if (!f->incl)
		return l;
	l.bad = l.whole && l.least < l.bytes;
	l.least -= l.least < l.bytes ? l.least : l.bytes;
	return l;
}

/* Digits and a colon; a number has no zero before it. */
static struct length decimal_length(const struct framer *f, const unsigned char *p, size_t len)
{
	struct length l = { 0 };
	for (; l.bytes < len && l.least <= f->most; l.bytes++) {
		unsigned char c = p[l.bytes];
		if (c == ':' && l.bytes > 0) {
			l.bytes++;
			l.whole = true;
			break;
		}
		l.bad = c < '0' || c > '9' || (l.bytes == 1 && l.least == 0);
		if (l.bad)
			break;
		l.least = l.least * 10 + (unsigned long long)(c - '0');
	}
	return l;
}

static struct length length_of(const struct framer *f, const unsigned char *p, size_t len)
{
	return f->kind == FRAME_NETSTRING ? decimal_length(f, p, len) : binary_length(f, p, len);
}

static ssize_t counted_cut(const struct framer *f, const unsigned char *p, size_t len, size_t *at, size_t *n)
{
	struct length l = length_of(f, p, len);
	if (l.bad || l.least > f->most)
		return FRAMER_BAD;
	if (!l.whole)
		return FRAMER_PARTIAL;
	size_t size = (size_t)l.least, tail = f->kind == FRAME_NETSTRING;
	if (tail > 0 && len - l.bytes > size && p[l.bytes + size] != ',')
		return FRAMER_BAD;
	if (len - l.bytes < size + tail)
		return FRAMER_PARTIAL;
	*at = l.bytes;
	*n = size;
	return (ssize_t)(l.bytes + size + tail);
}

/* --- all --- */

ssize_t framer_cut_on(const struct framer *f, const void *buf, size_t len, size_t *seen, size_t *at, size_t *n)
{
	*at = 0;
	*n = f->kind == FRAME_FIXED ? f->most : len;
	if (f->kind == FRAME_RAW)
		return (ssize_t)len;
	if (f->kind == FRAME_FIXED)
		return len < f->most ? FRAMER_PARTIAL : (ssize_t)f->most;
	if (f->kind <= FRAME_NUL)
		return terminated_cut(f, buf, len, seen, n);
	return counted_cut(f, buf, len, at, n);
}

ssize_t framer_cut(const struct framer *f, const void *buf, size_t len, size_t *at, size_t *n)
{
	size_t seen = 0;
	return framer_cut_on(f, buf, len, &seen, at, n);
}

const char *framer_fault(const struct framer *f, const void *buf, size_t len, char words[FRAMER_WORDS])
{
	unsigned long most = (unsigned long)f->most;
	struct length l = f->kind >= FRAME_NETSTRING ? length_of(f, buf, len) : (struct length){ 0 };
	if (f->kind <= FRAME_NUL)
		snprintf(words, FRAMER_WORDS, "frame without an end is over max %lu", most);
	else if (l.least > f->most)
		snprintf(words, FRAMER_WORDS, "frame of %s%llu bytes is over max %lu", l.whole ? "" : "at least ", l.least, most);
	else if (f->kind == FRAME_NETSTRING)
		snprintf(words, FRAMER_WORDS, "%s", l.bad ? "netstring without its length" : "netstring without its comma");
	else
		snprintf(words, FRAMER_WORDS, "frame with a length that does not count itself");
	return words;
}

int framer_dress(const struct framer *f, size_t n, unsigned char head[FRAMER_EDGE], size_t *head_n,
	unsigned char tail[FRAMER_EDGE], size_t *tail_n)
{
	static const char *const tails[] = { [FRAME_LINE] = "\n", [FRAME_CRLF] = "\r\n", [FRAME_NETSTRING] = "," };
	size_t w = framer_width(f);
	unsigned long long length = n + (f->incl ? w : 0);
	*head_n = w;
	*tail_n = 0;
	if (f->kind == FRAME_RAW)
		return 0;
	if (n > f->most || (f->kind == FRAME_FIXED && n != f->most) || (w > 0 && w < 4 && length >> 8 * w != 0))
		return -1;
	for (size_t i = 0; i < w; i++)
		head[i] = (unsigned char)(length >> 8 * (framer_little(f) ? i : w - 1 - i));
	if (f->kind == FRAME_NETSTRING)
		*head_n = (size_t)snprintf((char *)head, FRAMER_EDGE, "%llu:", length);
	if (f->kind == FRAME_NUL)
		tail[(*tail_n)++] = '\0';
	else if (f->kind <= FRAME_NETSTRING)
		memcpy(tail, tails[f->kind], *tail_n = strlen(tails[f->kind]));
	return 0;
}

bool framer_rest_is_frame(const struct framer *f)
{
	return f->kind <= FRAME_NUL;
}

size_t framer_whole_lines(const void *buf, size_t len)
{
	const char *p = buf;
	while (len > 0 && p[len - 1] != '\n')
		len--;
	return len;
}
