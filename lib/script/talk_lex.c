/* Words of a talk script: where one begins and ends, what was expected, and how an error says so.
 *
 * The bytes of a source stay where they are as long as the script lives; places and slices point into them. */
#include "script/talk_internal.h"

#include "base/num.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN = 120 };

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t';
}

/* The end of a line at p, with its CR: its length, or 0. */
static size_t talk_lex_newline(const struct talk_lex *l, const unsigned char *p)
{
	size_t cr = p < l->end && *p == '\r';
	return p + cr < l->end && p[cr] == '\n' ? cr + 1 : 0;
}

void talk_blanks(struct talk_lex *l)
{
	for (;;) {
		while (l->p < l->end && is_blank(*l->p))
			l->p++;
		size_t n = l->p < l->end && *l->p == '\\' ? talk_lex_newline(l, l->p + 1) : 0;
		if (n == 0)
			return;
		l->p += 1 + n;
		l->start = l->p;
		l->line++;
	}
}

bool talk_ended(struct talk_lex *l)
{
	talk_blanks(l);
	return l->p == l->end || *l->p == '#' || talk_lex_newline(l, l->p) > 0;
}

void talk_next_line(struct talk_lex *l)
{
	while (l->p < l->end && *l->p != '\n')
		l->p++;
	l->p += l->p < l->end;
	l->start = l->p;
	l->line++;
}

/* Columns are counted in characters, as editors do. */
struct talk_place talk_here(struct talk_lex *l)
{
	talk_blanks(l);
	struct talk_place at = { l->name, l->line, 1 };
	for (const unsigned char *p = l->start; p < l->p; p++)
		at.col += (*p & 0xc0) != 0x80;
	return at;
}

size_t talk_word(struct talk_lex *l)
{
	talk_blanks(l);
	const unsigned char *p = l->p;
	while (p < l->end && !is_blank(*p) && *p != '"' && *p != '#' && talk_lex_newline(l, p) == 0)
		p++;
	return (size_t)(p - l->p);
}

size_t talk_rest(struct talk_lex *l)
{
	talk_blanks(l);
	const unsigned char *p = l->p;
	while (p < l->end && !is_blank(*p) && talk_lex_newline(l, p) == 0)
		p++;
	return (size_t)(p - l->p);
}

void talk_drop(struct talk_lex *l, size_t n)
{
	l->p += n;
	l->last = l->p;
}

bool talk_takes(struct talk_lex *l, const char *word)
{
	size_t n = strlen(word);
	if (talk_word(l) != n || memcmp(l->p, word, n) != 0)
		return false;
	talk_drop(l, n);
	return true;
}

char *talk_take(struct talk_lex *l, size_t n)
{
	talk_blanks(l);
	char *text = talk_new(l->script, n + 1, l->e);
	if (text == NULL)
		return NULL;
	memcpy(text, l->p, n);
	talk_drop(l, n);
	return text;
}

/* --- errors --- */

static __attribute__((format(printf, 3, 0))) int wrong(struct err *e, const struct talk_place *at, const char *fmt, va_list ap)
{
	char words[sizeof e->what];
	vsnprintf(words, sizeof words, fmt, ap);
	return err_set(e, ERR_USAGE, 0, "%s:%u:%u: %s", at->name, at->line, at->col, words);
}

int talk_refuse(struct err *e, const struct talk_place *at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	wrong(e, at, fmt, ap);
	va_end(ap);
	return -1;
}

int talk_wrong(struct talk_lex *l, const struct talk_place *at, const char *fmt, ...)
{
	struct talk_place here = talk_here(l);
	va_list ap;
	va_start(ap, fmt);
	wrong(l->e, at != NULL ? at : &here, fmt, ap);
	va_end(ap);
	return -1;
}

/* What stands here, for an error: a word, the start of a string, or the end of the line. */
static void show_next(struct talk_lex *l, char out[SHOWN])
{
	if (talk_ended(l)) {
		snprintf(out, SHOWN, "the end of the line");
		return;
	}
	size_t n = talk_word(l), used;
	if (n > 24)
		n = 24;
	if (n == 0)
		while (l->p + n < l->end && n < 24 && talk_lex_newline(l, l->p + n) == 0 && (n < 2 || l->p[n - 1] != '"'))
			n++;
	bool quoted = *l->p == '"';
	used = quoted ? 0 : (size_t)snprintf(out, SHOWN, "\"");
	used += text_show(out + used, SHOWN - 2 - used, l->p, n);
	snprintf(out + used, SHOWN - used, "%s", quoted ? "" : "\"");
}

int talk_expected(struct talk_lex *l, const char *what, const char *after)
{
	char got[SHOWN];
	show_next(l, got);
	if (after == NULL)
		return talk_wrong(l, NULL, "expected %s, got %s", what, got);
	const char *quote = strchr(after, ' ') == NULL ? "\"" : "";
	return talk_wrong(l, NULL, "expected %s after %s%s%s, got %s", what, quote, after, quote, got);
}

/* --- numbers --- */

int talk_number(struct talk_lex *l, uint32_t most, uint32_t *out)
{
	uint64_t sum = 0;
	size_t n = 0;
	talk_blanks(l);
	for (; l->p + n < l->end && l->p[n] >= '0' && l->p[n] <= '9'; n++)
		if (sum <= most)
			sum = sum * 10 + (l->p[n] - '0');
	if (n == 0 || sum == 0 || sum > most) {
		char what[48];
		snprintf(what, sizeof what, "a number from 1 to %lu", (unsigned long)most);
		return talk_expected(l, what, NULL);
	}
	*out = (uint32_t)sum;
	talk_drop(l, n);
	return 0;
}

int talk_duration(struct talk_lex *l, int64_t *out_ms)
{
	struct talk_place at = talk_here(l);
	size_t n = talk_word(l);
	struct err why = { 0 };
	if (n == 0)
		return talk_expected(l, "a duration such as 250ms, 2s, 5m, 1h", NULL);
	char *text = talk_take(l, n);
	if (text == NULL)
		return -1;
	return num_duration(text, false, out_ms, &why) == 0 ? 0 : talk_wrong(l, &at, "%s", why.what);
}
