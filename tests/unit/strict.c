#include "strict.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	const char *p, *end;
};

static bool eat(struct reader *r, const char *what)
{
	size_t n = strlen(what);
	if ((size_t)(r->end - r->p) < n || memcmp(r->p, what, n) != 0)
		return false;
	r->p += n;
	return true;
}

static long hex4(struct reader *r)
{
	char text[5] = "";
	if (r->end - r->p < 4)
		return -1;
	memcpy(text, r->p, 4);
	if (strspn(text, "0123456789abcdefABCDEF") != 4)
		return -1;
	r->p += 4;
	return strtol(text, NULL, 16);
}

/* \uXXXX, in pairs beyond the first plane. */
static bool escaped_char(struct reader *r, uint32_t *cp)
{
	long high = hex4(r), low;
	*cp = (uint32_t)high;
	if (high < 0 || (high >= 0xdc00 && high < 0xe000))
		return false;
	if (high < 0xd800 || high >= 0xe000)
		return true;
	if (!eat(r, "\\u") || (low = hex4(r)) < 0xdc00 || low >= 0xe000)
		return false;
	*cp = 0x10000 + (((uint32_t)high - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
	return true;
}

static bool one_char(struct reader *r, uint32_t *cp)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	if (eat(r, "\\u"))
		return escaped_char(r, cp);
	if (eat(r, "\\")) {
		const char *name = r->p < r->end && *r->p != '\0' ? strchr(names, *r->p++) : NULL;
		*cp = name == NULL ? 0 : (unsigned char)values[name - names];
		return name != NULL;
	}
	int n = utf8_decode((const unsigned char *)r->p, (size_t)(r->end - r->p), cp);
	if (n <= 0 || !text_printable(*cp))
		return false;
	r->p += n;
	return true;
}

static size_t encode(uint32_t cp, char *out)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	for (size_t i = n - 1; i > 0; i--, cp >>= 6)
		out[i] = (char)(0x80 | (cp & 0x3f));
	out[0] = (char)(lead[n] | cp);
	return n;
}

/* out may be NULL. -1: not a string. */
static long string(struct reader *r, char *out, size_t cap)
{
	size_t used = 0;
	if (!eat(r, "\""))
		return -1;
	while (!eat(r, "\"")) {
		uint32_t cp;
		char piece[4];
		if (r->p == r->end || !one_char(r, &cp))
			return -1;
		size_t n = encode(cp, piece);
		if (out != NULL && used + n <= cap)
			memcpy(out + used, piece, n);
		used += n;
	}
	return (long)used;
}

static bool digits(struct reader *r)
{
	const char *from = r->p;
	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	return r->p > from;
}

/* Ours are integers. */
static bool number(struct reader *r)
{
	eat(r, "-");
	return eat(r, "0") ? true : digits(r);
}

static bool value(struct reader *r);

static bool array(struct reader *r)
{
	if (eat(r, "]"))
		return true;
	do
		if (!value(r))
			return false;
	while (eat(r, ","));
	return eat(r, "]");
}

static bool value(struct reader *r)
{
	if (r->p < r->end && *r->p == '"')
		return string(r, NULL, 0) >= 0;
	if (eat(r, "["))
		return array(r);
	return eat(r, "true") || eat(r, "false") || number(r);
}

/* Members up to the end of the object; stops at the value of `key` where one is named. */
static bool members(struct reader *r, const char *key)
{
	do {
		char name[64] = "";
		if (string(r, name, sizeof name - 1) < 0 || !eat(r, ":"))
			return false;
		if (key != NULL && strcmp(name, key) == 0)
			return true;
		if (!value(r))
			return false;
	} while (eat(r, ","));
	return key == NULL;
}

const char *strict_line(const char *text, size_t len)
{
	struct reader r = { text, text + len };
	if (eat(&r, "{") && members(&r, NULL) && eat(&r, "}\n") && r.p == r.end)
		return NULL;
	return r.p;
}

long strict_string(const char *line, const char *key, char *out, size_t cap)
{
	struct reader r = { line + 1, line + strlen(line) };
	return members(&r, key) ? string(&r, out, cap) : -1;
}
