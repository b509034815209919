/* Hexadecimal (hex.h). A group is what stands between separators: its digits are taken in pairs, and one digit alone is a byte,
 * too, as in 0x5. Only an odd number of more digits cannot be understood: one may be missing at either end. */
#include "codec/hex.h"

#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 8192, LINE_BYTES = 65536, ROW = 16, WHY_TEXT = 120 };

struct hex {
	struct stream s;
	bool by_line;
	bool escape, prefix, comment; /* behind a backslash; behind 0x or \x, no digit yet; behind # */
	bool prefixed;		      /* the group has its prefix */
	bool ended, broken;
	unsigned digits, high; /* of the group; the digit that waits for its second */
	unsigned long line_no;
	size_t at, len;	   /* text that is not used yet */
	size_t from, have; /* bytes that are not given out yet */
	bool whole;	   /* ... and they are a whole line */
	char why[WHY_TEXT];
	unsigned char text[TEXT_BYTES], bytes[LINE_BYTES];
};

static int hex_refuse(struct hex *h, const char *what)
{
	snprintf(h->why, sizeof h->why, "read stdin: --hex: line %lu: %s", h->line_no, what);
	h->broken = true;
	return -1;
}

/* 0, or -1: why says so. */
static int group_end(struct hex *h)
{
	if (h->escape || h->prefix)
		return hex_refuse(h, "a prefix without digits");
	if (h->digits % 2 == 1 && h->digits > 1)
		return hex_refuse(h, "an odd number of digits");
	if (h->digits == 1)
		h->bytes[h->have++] = (unsigned char)h->high;
	h->digits = 0;
	h->prefixed = false;
	return 0;
}

static int hex_digit(struct hex *h, unsigned digit)
{
	h->prefix = false;
	if (h->digits++ % 2 == 0)
		h->high = digit;
	else
		h->bytes[h->have++] = (unsigned char)(h->high << 4 | digit);
	return 0;
}

/* An x: behind a backslash, or behind the group's first digit, a zero. */
static int hex_prefix(struct hex *h)
{
	bool zero = h->digits == 1 && h->high == 0 && !h->prefixed;
	if (!h->escape && !zero)
		return hex_refuse(h, "an x that is not of 0x or \\x");
	h->escape = false;
	h->prefix = h->prefixed = true;
	h->digits = 0;
	return 0;
}

static int hex_other(struct hex *h, unsigned char c)
{
	char shown[16], what[64];
	if (c == '\\') {
		int rc = group_end(h);
		h->escape = true;
		return rc;
	}
	if (c == '#' || (c != '\0' && strchr(" \t\r\n,:;-", c) != NULL)) {
		h->comment = c == '#';
		return group_end(h);
	}
	text_show(shown, sizeof shown, &c, 1);
	snprintf(what, sizeof what, "expected hexadecimal digits, got \"%s\"", shown);
	return hex_refuse(h, what);
}

static int hex_take(struct hex *h, unsigned char c)
{
	if (h->comment && c != '\n')
		return 0;
	h->comment = false;
	int digit = text_digit((char)c), rc = digit >= 0 && !h->escape ? hex_digit(h, (unsigned)digit)
					      : c == 'x' || c == 'X'   ? hex_prefix(h)
								       : hex_other(h, c);
	if (rc == 0 && c == '\n') {
		h->line_no++;
		h->whole = h->have > 0;
	}
	return rc;
}

/* Turns text into bytes, up to a line if those count. */
static void hex_decode(struct hex *h)
{
	while (!h->broken && h->at < h->len && h->have < sizeof h->bytes - 1 && !(h->by_line && h->whole))
		if (hex_take(h, h->text[h->at++]) != 0)
			return;
	if (h->ended && h->at == h->len && !h->broken && !h->whole) {
		h->whole = true;
		group_end(h);
	}
}

static ssize_t hex_give(struct hex *h, const struct iovec *v)
{
	size_t left = h->have - h->from, n = left < v->iov_len ? left : v->iov_len;
	memcpy(v->iov_base, h->bytes + h->from, n);
	h->from += n;
	if (h->from == h->have)
		h->from = h->have = h->whole = 0;
	return (ssize_t)n;
}

/* What came before a mistake is given out first. */
static ssize_t hex_readv(struct stream *s, const struct iovec *v, int n)
{
	struct hex *h = (struct hex *)s;
	(void)n; /* the first piece is enough */
	for (;;) {
		hex_decode(h);
		bool ready = h->whole || h->broken || !h->by_line || h->have >= sizeof h->bytes - 1;
		if (h->have > h->from && ready)
			return hex_give(h, v);
		if (h->broken)
			return stream_fail(s, ERR_LOCAL, 0, 0, h->why);
		if (h->ended)
			return 0;
		ssize_t got = stream_read(s->below, h->text, sizeof h->text);
		if (got < 0)
			return stream_up_rd(s, got);
		h->at = 0;
		h->len = (size_t)got;
		h->ended = got == 0;
	}
}

static int hex_rawfd(struct stream *s, bool write)
{
	return write ? stream_rawfd(s->below, true) : -1;
}

static void hex_close(struct stream *s, enum close_how how)
{
	stream_close(s->below, how);
	mem_free(s);
}

static const struct stream_ops hex_ops = {
	.name = "hex",
	.readv = hex_readv,
	.writev = stream_pass_writev,
	.close = hex_close,
	.rawfd = hex_rawfd,
};

int hex_read_push(struct stream **top, bool by_line)
{
	struct hex *h = mem_new(sizeof *h);
	if (h == NULL)
		return -1;
	h->by_line = by_line;
	h->line_no = 1;
	stream_push(&h->s, &hex_ops, *top);
	*top = &h->s;
	return 0;
}

static size_t hex_pair(char *out, unsigned char byte, char behind)
{
	size_t n = text_hex(out, byte);
	out[n] = behind;
	return n + 1;
}

/* state: how many bytes the line has. A space stands before a byte, so that a line never ends with one. */
size_t hex_convert(uint64_t *state, const unsigned char *in, size_t n, size_t *used, unsigned char *out, size_t cap, bool last)
{
	size_t i = 0, len = 0;
	for (; i < n && cap - len >= FILTER_SPARE; i++) {
		if (*state > 0)
			out[len++] = ' ';
		*state = (*state + 1) % ROW;
		len += hex_pair((char *)out + len, in[i], '\n') - (*state > 0);
	}
	if (last && i == n && *state > 0) {
		out[len++] = '\n';
		*state = 0;
	}
	*used = i;
	return len;
}

size_t hex_line(char *out, const unsigned char *bytes, size_t n)
{
	size_t len = 0;
	for (size_t i = 0; i < n; i++)
		len += hex_pair(out + len, bytes[i], i + 1 < n ? ' ' : '\n');
	if (n == 0)
		out[len++] = '\n';
	return len;
}
