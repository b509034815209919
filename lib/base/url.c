/* Hiding passwords (url.h). A password may contain any character that its owner forgot to escape, so it ends at the last @ of
 * the URL. */
#include "base/url.h"

#include <stdbool.h>
#include <string.h>

struct copy {
	char *out;
	size_t cap, len;
};

static void redact_add(struct copy *c, const char *text, size_t n)
{
	size_t room = c->cap - c->len - 1;
	if (n > room)
		n = room;
	memcpy(c->out + c->len, text, n);
	c->len += n;
}

static const char *redact_find(const char *from, const char *end, const char *what)
{
	size_t n = strlen(what);
	for (; (size_t)(end - from) >= n; from++)
		if (memcmp(from, what, n) == 0)
			return from;
	return NULL;
}

/* In quotes it goes to the closing one, elsewhere to the next blank. */
static const char *url_end(const char *text, const char *mark, const char *end)
{
	const char *p = mark, *stop = " \t\r\n\"'";
	while (p > text && strchr(stop, p[-1]) == NULL)
		p--;
	if (p > text && p[-1] == '"')
		stop = "\"";
	else if (p > text && p[-1] == '\'')
		stop = "'";
	while (mark < end && (*mark == '\0' || strchr(stop, *mark) == NULL))
		mark++;
	return mark;
}

/* The last @ of a URL; NULL: it names no user. */
static const char *user_end(const char *from, const char *end)
{
	while (end > from && end[-1] != '@')
		end--;
	return end > from ? end - 1 : NULL;
}

static size_t redact_hide(char *out, size_t cap, const char *text, const char *end, bool whole)
{
	struct copy c = { .out = out, .cap = cap };
	const char *mark;
	while ((mark = redact_find(text, end, "://")) != NULL) {
		const char *user = mark + 3, *stop = whole ? end : url_end(text, mark, end), *at = user_end(user, stop);
		const char *colon = at != NULL ? memchr(user, ':', (size_t)(at - user)) : NULL;
		if (colon != NULL) {
			redact_add(&c, text, (size_t)(colon + 1 - text));
			redact_add(&c, "***", 3);
			text = at;
		}
		redact_add(&c, text, (size_t)(stop - text));
		text = stop;
	}
	redact_add(&c, text, (size_t)(end - text));
	out[c.len] = '\0';
	return c.len;
}

size_t redact_text(char *out, size_t cap, const char *text, size_t n)
{
	return redact_hide(out, cap, text, text + n, false);
}

size_t redact_word(char *out, size_t cap, const char *word)
{
	return redact_hide(out, cap, word, word + strlen(word), true);
}
