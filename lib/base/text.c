/* UTF-8, and which characters may be shown (text.h). Pure functions over bytes: no locale, no allocation. */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

struct range {
	uint32_t first, last;
};

/* Above ASCII, in order: characters that move the cursor, turn the writing direction, join lines, or are invisible. */
static const struct range hidden[] = {
	{ 0x80, 0x9f },	      /* C1 controls: a second set of escape sequences */
	{ 0xad, 0xad },	      /* soft hyphen */
	{ 0x61c, 0x61c },     /* Arabic letter mark */
	{ 0x115f, 0x1160 },   /* Hangul fillers */
	{ 0x17b4, 0x17b5 },   /* Khmer inherent vowels */
	{ 0x180b, 0x180f },   /* Mongolian selectors */
	{ 0x200b, 0x200f },   /* zero-width space and joiners, direction marks */
	{ 0x2028, 0x202e },   /* line and paragraph separators, embeddings and overrides */
	{ 0x2060, 0x206f },   /* word joiner, invisible operators, isolates */
	{ 0x3164, 0x3164 },   /* Hangul filler */
	{ 0xd800, 0xdfff },   /* surrogates */
	{ 0xfdd0, 0xfdef },   /* noncharacters */
	{ 0xfeff, 0xfeff },   /* byte order mark */
	{ 0xffa0, 0xffa0 },   /* halfwidth Hangul filler */
	{ 0xfff0, 0xfffb },   /* unassigned, interlinear annotation */
	{ 0x13430, 0x1345f }, /* Egyptian format controls */
	{ 0x1bca0, 0x1bca3 }, /* shorthand format controls */
	{ 0x1d173, 0x1d17a }, /* musical format controls */
	{ 0xe0000, 0xe0fff }, /* tags, variation selectors */
};

int utf8_decode(const unsigned char *p, size_t n, uint32_t *cp)
{
	unsigned char lead = p[0];
	if (lead < 0x80) {
		*cp = lead;
		return 1;
	}
	if (lead < 0xc2 || lead > 0xf4)
		return UTF8_BAD;
	int len = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	uint32_t sum = lead & (0x7fU >> len);
	/* The second byte alone decides on overlong forms, surrogates and what lies beyond U+10FFFF (RFC 3629, section 4). */
	unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	for (int i = 1; i < len; i++) {
		if ((size_t)i == n)
			return UTF8_PARTIAL;
		if (p[i] < low || p[i] > high)
			return UTF8_BAD;
		sum = sum << 6 | (p[i] & 0x3fU);
		low = 0x80;
		high = 0xbf;
	}
	*cp = sum;
	return len;
}

bool text_printable(uint32_t cp)
{
	if (cp < 0x80)
		return cp >= ' ' && cp != 0x7f;
	if ((cp & 0xfffe) == 0xfffe || cp > 0x10ffff)
		return false;
	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0] && hidden[i].first <= cp; i++)
		if (cp <= hidden[i].last)
			return false;
	return true;
}

/* One step: how many bytes of p it takes, and in out how they are shown. */
static size_t show_one(const unsigned char *p, size_t n, char out[5], size_t *shown)
{
	uint32_t cp = 0;
	int len = utf8_decode(p, n, &cp);
	if (len > 0 && text_printable(cp)) {
		memcpy(out, p, (size_t)len);
		*shown = (size_t)len;
		return (size_t)len;
	}
	const char *known = p[0] == '\n' ? "\\n" : p[0] == '\t' ? "\\t" : NULL;
	*shown = (size_t)(known != NULL ? snprintf(out, 5, "%s", known) : snprintf(out, 5, "\\x%02x", p[0]));
	return 1;
}

size_t text_show(char *out, size_t cap, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	size_t used = 0;
	if (cap == 0)
		return 0;
	while (n > 0) {
		char piece[5];
		size_t len = 0, step = show_one(p, n, piece, &len);
		if (len >= cap - used)
			break;
		memcpy(out + used, piece, len);
		used += len;
		p += step;
		n -= step;
	}
	out[used] = '\0';
	return used;
}

int text_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t text_hex(char out[2], unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";
	out[0] = digits[byte >> 4];
	out[1] = digits[byte & 15];
	return 2;
}

/* The byte of the escape at p (after the backslash), and its length; -1: unknown. */
static int text_escaped(const char *p, size_t *len)
{
	static const char names[] = "nrt0\\\"", bytes[] = "\n\r\t\0\\\"";
	*len = 1;
	if (*p == 'x') {
		int high = text_digit(p[1]);
		int low = high < 0 ? -1 : text_digit(p[2]);
		*len = 3;
		return low < 0 ? -1 : high * 16 + low;
	}
	const char *at = *p == '\0' ? NULL : strchr(names, *p);
	return at == NULL ? -1 : (unsigned char)bytes[at - names];
}

long text_unescape(unsigned char *out, const char *text, struct err *e)
{
	unsigned char *start = out;
	while (*text != '\0') {
		if (*text != '\\') {
			*out++ = (unsigned char)*text++;
			continue;
		}
		size_t len = 0;
		int byte = text_escaped(++text, &len);
		if (byte < 0) {
			char shown[16];
			text_show(shown, sizeof shown, text, strnlen(text, len));
			return err_set(
				e, ERR_USAGE, 0, "unknown escape \"\\%s\", expected \\n \\r \\t \\0 \\\\ \\\" or \\xHH", shown);
		}
		*out++ = (unsigned char)byte;
		text += len;
	}
	return (long)(out - start);
}
