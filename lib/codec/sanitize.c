/* A peer's bytes, made safe for a terminal: nothing moves the cursor, changes a title, or hides other text.
 *
 * text_printable decides; newline and tab pass, a CR is dropped before LF, every other byte becomes \xHH. A character may come in
 * pieces: its first bytes, or a CR, are carried over in `state` (bits 0-23 the bytes, bits 24-25 how many). */
#include "base/text.h"
#include "codec/filter.h"

#include <string.h>

struct carry {
	unsigned char b[4];
	size_t n;
};

static struct carry carry_from(uint64_t state)
{
	return (struct carry){ { (unsigned char)state, (unsigned char)(state >> 8), (unsigned char)(state >> 16) },
		(size_t)(state >> 24) };
}

static uint64_t carry_to(const struct carry *c)
{
	return (uint64_t)c->b[0] | (uint64_t)c->b[1] << 8 | (uint64_t)c->b[2] << 16 | (uint64_t)c->n << 24;
}

static void drop_first(struct carry *c, size_t n)
{
	c->n -= n;
	memmove(c->b, c->b + n, c->n);
	memset(c->b + c->n, 0, sizeof c->b - c->n);
}

static size_t sanitize_escape(unsigned char *out, unsigned char byte)
{
	char shown[] = "\\x..";
	text_hex(shown + 2, byte);
	memcpy(out, shown, sizeof shown - 1);
	return sizeof shown - 1;
}

/* Handles the first character of the carry, if it is whole (or no more will come). Returns the bytes written; *wait: it is not
 * whole. */
static size_t sanitize_judge(struct carry *c, unsigned char *out, bool last, bool *wait)
{
	uint32_t cp = 0;
	int len = utf8_decode(c->b, c->n, &cp);
	bool cr = c->b[0] == '\r';
	*wait = !last && (len == UTF8_PARTIAL || (cr && c->n == 1));
	if (*wait)
		return 0;
	if (cr && c->n > 1 && c->b[1] == '\n') {
		drop_first(c, 1);
		return 0;
	}
	if (len > 0 && (cp == '\n' || cp == '\t' || text_printable(cp))) {
		memcpy(out, c->b, (size_t)len);
		drop_first(c, (size_t)len);
		return (size_t)len;
	}
	size_t put = sanitize_escape(out, c->b[0]);
	drop_first(c, 1);
	return put;
}

size_t sanitize_convert(
	uint64_t *state, const unsigned char *in, size_t n, size_t *used, unsigned char *out, size_t cap, bool last)
{
	struct carry c = carry_from(*state);
	size_t i = 0, len = 0;
	bool wait = false;
	while (i < n && cap - len >= FILTER_SPARE) {
		c.b[c.n++] = in[i++];
		for (wait = false; c.n > 0 && !wait;)
			len += sanitize_judge(&c, out + len, false, &wait);
	}
	while (last && i == n && c.n > 0 && cap - len >= FILTER_SPARE)
		len += sanitize_judge(&c, out + len, true, &wait);
	*state = carry_to(&c);
	*used = i;
	return len;
}
