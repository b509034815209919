/* The request to an HTTP proxy, and its answer. The answer is read byte by byte, so that the bytes after its head are left for
 * the target's stream. A few interim answers (100) are skipped. */
#include "proxy/proxy.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { INTERIM_MOST = 8 };

static void http_connect_base64(char *out, const unsigned char *in, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < n; i += 3) {
		uint32_t three = (uint32_t)in[i] << 16;
		three |= i + 1 < n ? (uint32_t)in[i + 1] << 8 : 0;
		three |= i + 2 < n ? in[i + 2] : 0;
		*out++ = digits[three >> 18];
		*out++ = digits[three >> 12 & 63];
		*out++ = i + 1 < n ? digits[three >> 6 & 63] : '=';
		*out++ = i + 2 < n ? digits[three & 63] : '=';
	}
	*out = '\0';
}

static enum proxy_step http_connect_ask(struct proxy_talk *t)
{
	char both[2 * PROXY_WORD + 2], coded[sizeof both / 3 * 4 + 8] = "";
	bool six = strchr(t->host, ':') != NULL;
	const char *open = six ? "[" : "", *close = six ? "]" : "";
	if (t->proxy->auth) {
		int n = snprintf(both, sizeof both, "%s:%s", t->proxy->user, t->proxy->password);
		http_connect_base64(coded, (const unsigned char *)both, (size_t)n);
	}
	int n = snprintf((char *)t->sends, sizeof t->sends, "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n%s%s%s\r\n", open,
		t->host, close, (unsigned)t->port, open, t->host, close, (unsigned)t->port,
		t->proxy->auth ? "Proxy-Authorization: Basic " : "", coded, t->proxy->auth ? "\r\n" : "");
	t->sends_n = (size_t)n;
	t->step = 1;
	t->needs = 1;
	return PROXY_GO_ON;
}

static bool head_ends(const struct proxy_talk *t)
{
	const unsigned char *p = t->takes;
	size_t n = t->has;
	return (n >= 4 && memcmp(p + n - 4, "\r\n\r\n", 4) == 0) || (n >= 2 && memcmp(p + n - 2, "\n\n", 2) == 0);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Where the three digits begin in "HTTP/1.1 403 Forbidden", whose reason may be missing and which may have several blanks; 0: it
 * is no such line. */
static size_t status_at(const char *p, size_t n)
{
	static const char version[] = "HTTP/1.";
	size_t at = sizeof version;
	if (n <= at || memcmp(p, version, sizeof version - 1) != 0 || !is_digit(p[at - 1]) || p[at] != ' ')
		return 0;
	while (at < n && p[at] == ' ')
		at++;
	for (size_t i = at; i < at + 3; i++)
		if (i >= n || !is_digit(p[i]))
			return 0;
	return at + 3 == n || p[at + 3] == ' ' ? at : 0;
}

/* 100 to 199 are interim answers, except 101, which ends HTTP. */
static bool is_interim(const char *status)
{
	return status[0] == '1' && strncmp(status, "101", 3) != 0;
}

/* A refusal is reported in the proxy's words. */
static enum proxy_step http_connect_hear(struct proxy_talk *t)
{
	const char *p = (const char *)t->takes;
	size_t line = 0;
	while (line < t->has && p[line] != '\r' && p[line] != '\n')
		line++;
	size_t at = status_at(p, line);
	if (at > 0 && p[at] == '2')
		return PROXY_DONE;
	if (at > 0 && is_interim(p + at) && t->step <= INTERIM_MOST) {
		t->step++;
		t->has = 0;
		t->needs = 1;
		return PROXY_GO_ON;
	}
	char shown[200];
	text_show(shown, sizeof shown, p + at, line - at < 60 ? line - at : 60);
	if (at > 0 && is_interim(p + at))
		snprintf(t->words, sizeof t->words, "it answered %d times that its answer is still to come", (int)t->step);
	else if (at > 0)
		snprintf(t->words, sizeof t->words, "it answered %s", shown);
	else
		snprintf(t->words, sizeof t->words, "what answers is no HTTP proxy: it said \"%s\"", shown);
	return PROXY_REFUSED;
}

enum proxy_step http_connect_step(struct proxy_talk *t)
{
	static const char start[] = "HTTP/";
	t->sends_n = 0;
	if (t->step == 0)
		return http_connect_ask(t);
	size_t known = t->has < sizeof start - 1 ? t->has : sizeof start - 1;
	if (memcmp(t->takes, start, known) != 0 || head_ends(t))
		return http_connect_hear(t);
	if (t->has == sizeof t->takes) {
		snprintf(t->words, sizeof t->words, "its answer has a head of more than %d bytes", (int)sizeof t->takes);
		return PROXY_REFUSED;
	}
	t->needs = 1;
	return PROXY_GO_ON;
}
