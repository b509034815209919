/* A list in brackets: single bytes, ranges by value, classes, [=a=], [.a.], and the negation of all of these. */
#include "pattern/ere_internal.h"

#include <stdio.h>
#include <string.h>

int ere_refuse(char why[ERE_WORDS], const char *words)
{
	snprintf(why, ERE_WORDS, "%s", words);
	return -1;
}

static void add_range(struct ere_set *s, unsigned from, unsigned to)
{
	for (unsigned byte = from; byte <= to; byte++)
		s->bits[byte / 8] |= (uint8_t)(1 << (byte % 8));
}

/* The classes of the C locale, as their ranges. */
static const struct {
	const char *name, *ranges;
} classes[] = {
	{ "alnum", "09AZaz" },
	{ "alpha", "AZaz" },
	{ "blank", "\t\t  " },
	{ "cntrl", "\x01\x1f\x7f\x7f" },
	{ "digit", "09" },
	{ "graph", "!~" },
	{ "lower", "az" },
	{ "print", " ~" },
	{ "punct", "!/:@[`{~" },
	{ "space", "\t\r  " },
	{ "upper", "AZ" },
	{ "word", "09AZaz__" }, /* \w; no name for brackets */
	{ "xdigit", "09AFaf" },
};

static const char *find_class(const char *name, size_t n)
{
	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		if (strlen(classes[i].name) == n && memcmp(classes[i].name, name, n) == 0)
			return classes[i].ranges;
	return NULL;
}

void ere_add_class(struct ere_set *s, const char *name)
{
	for (const char *r = find_class(name, strlen(name)); r != NULL && *r != '\0'; r += 2)
		add_range(s, (unsigned char)r[0], (unsigned char)r[1]);
	if (strcmp(name, "cntrl") == 0) /* a C string cannot hold the NUL of this class */
		add_range(s, 0, 0);
}

struct list {
	const unsigned char *p, *end;
	struct ere_set *set;
	char *why;
};

/* [:name:], [=a=] or [.a.] at l->p: the bytes inside, *n of them. NULL: it has no end. */
static const unsigned char *take_named(struct list *l, size_t *n)
{
	const unsigned char *from = l->p + 2;
	for (const unsigned char *q = from; l->end - q >= 2; q++)
		if (q[0] == l->p[1] && q[1] == ']') {
			*n = (size_t)(q - from);
			l->p = q + 2;
			return from;
		}
	return NULL;
}

static int take_class(struct list *l)
{
	size_t n = 0;
	const char *name = (const char *)take_named(l, &n);
	char text[16] = "";
	if (name == NULL)
		return ere_refuse(l->why, "[: without :]");
	if (n >= sizeof text || find_class(name, n) == NULL || memcmp(name, "word", n) == 0)
		return ere_refuse(
			l->why, "unknown class between [: and :], expected alpha, digit, alnum, space or another of POSIX");
	memcpy(text, name, n);
	ere_add_class(l->set, text);
	return 0;
}

/* One byte, as itself or by its name: -1 with why. */
static int take_byte(struct list *l)
{
	if (l->p == l->end)
		return ere_refuse(l->why, "[ without ]");
	if (l->end - l->p < 2 || l->p[0] != '[' || l->p[1] != '.')
		return *l->p++;
	size_t n = 0;
	const unsigned char *name = take_named(l, &n);
	if (name == NULL)
		return ere_refuse(l->why, "[. without .]");
	return n == 1 ? *name : ere_refuse(l->why, "between [. and .] there must be one byte");
}

static bool is_named(const struct list *l, unsigned char kind)
{
	return l->end - l->p >= 2 && l->p[0] == '[' && l->p[1] == kind;
}

static int take_same(struct list *l)
{
	size_t n = 0;
	const unsigned char *name = take_named(l, &n);
	if (name == NULL || n != 1)
		return ere_refuse(l->why, "between [= and =] there must be one byte");
	add_range(l->set, *name, *name);
	return 0;
}

static bool is_range(const struct list *l)
{
	return l->end - l->p >= 2 && l->p[0] == '-' && l->p[1] != ']';
}

static int take_item(struct list *l)
{
	if (is_named(l, ':') || is_named(l, '=')) {
		int rc = is_named(l, ':') ? take_class(l) : take_same(l);
		return rc == 0 && is_range(l) ? ere_refuse(l->why, "a range in brackets cannot begin with a class") : rc;
	}
	int from = take_byte(l), to = from;
	if (from < 0)
		return -1;
	if (is_range(l)) {
		l->p++;
		if (is_named(l, ':') || is_named(l, '='))
			return ere_refuse(l->why, "a range in brackets cannot end with a class");
		to = take_byte(l);
		if (to >= 0 && is_range(l))
			return ere_refuse(l->why, "a range in brackets cannot begin with the end of another");
	}
	if (to >= 0 && to < from)
		return ere_refuse(l->why, "a range in brackets ends before it begins");
	if (to >= 0)
		add_range(l->set, (unsigned)from, (unsigned)to);
	return to < 0 ? -1 : 0;
}

static void add_case(struct ere_set *s)
{
	for (unsigned c = 'a'; c <= 'z'; c++)
		if (ere_has(s, c) || ere_has(s, c - 'a' + 'A')) {
			add_range(s, c, c);
			add_range(s, c - 'a' + 'A', c - 'a' + 'A');
		}
}

ptrdiff_t ere_bracket(struct ere_set *out, const unsigned char *p, size_t n, bool icase, char why[ERE_WORDS])
{
	struct list l = { p, p + n, out, why };
	bool not = n > 0 && *p == '^';
	l.p += not ;
	for (bool first = true; l.p == l.end || *l.p != ']' || first; first = false) {
		if (l.p == l.end)
			return ere_refuse(why, "[ without ]");
		if (take_item(&l) != 0)
			return -1;
	}
	if (icase)
		add_case(out);
	for (size_t i = 0; not &&i < sizeof out->bits; i++)
		out->bits[i] = (uint8_t)~out->bits[i];
	return l.p + 1 - p;
}
