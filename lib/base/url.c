/* URLs (url.h): http://user@example.org/path becomes tcp://example.org:80, and passwords are hidden. A password may contain any
 * character that its owner forgot to escape, so it ends at the last @ of the URL. */
#include "base/url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

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

static const struct {
	const char *scheme, *ours, *port;
} foreign[] = {
	{ "http", "tcp", "80" },
	{ "https", "tls", "443" },
	{ "ws", "tcp", "80" },
	{ "wss", "tls", "443" },
	{ "ftp", "tcp", "21" },
	{ "ssh", "tcp", "22" },
	{ "telnet", "tcp", "23" },
	{ "smtp", "tcp", "25" },
	{ "smtps", "tls", "465" },
	{ "ldap", "tcp", "389" },
	{ "ldaps", "tls", "636" },
	{ "mqtt", "tcp", "1883" },
	{ "mqtts", "tls", "8883" },
	{ "redis", "tcp", "6379" },
	{ "rediss", "tls", "6379" },
	{ "ssl", "tls", "PORT" },
};

static bool url_has_port(const char *host, const char *end)
{
	const char *from = end;
	while (from > host && from[-1] != ']' && from[-1] != ':')
		from--;
	return from > host && from[-1] == ':' && from < end;
}

bool url_foreign(struct foreign_url *out, const char *word)
{
	const char *colon = strstr(word, "://");
	size_t n = colon == NULL ? 0 : (size_t)(colon - word), i = 0;
	while (i < sizeof foreign / sizeof *foreign &&
		(strncasecmp(foreign[i].scheme, word, n) != 0 || foreign[i].scheme[n] != '\0'))
		i++;
	if (n == 0 || i == sizeof foreign / sizeof *foreign)
		return false;
	const char *host = colon + 3, *end = host + strcspn(host, "/?#");
	for (const char *p = host; p < end; p++)
		if (*p == '@')
			host = p + 1;
	bool ported = url_has_port(host, end);
	while (end > host && end[-1] == ':')
		end--;
	out->scheme = foreign[i].scheme;
	snprintf(out->ours, sizeof out->ours, "%s://%.*s%s%s", foreign[i].ours, end > host ? (int)(end - host) : 4,
		end > host ? host : "HOST", ported ? "" : ":", ported ? "" : foreign[i].port);
	return true;
}
