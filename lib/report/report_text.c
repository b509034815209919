/* Events as sentences for people: the row's sentence with the event's fields in place of the words in braces. */
#include "report/report.h"

#include "base/url.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MOST = 2048 };

struct line {
	char *buf;
	size_t cap, len;
};

static void report_text_add(struct line *line, const char *text, size_t n)
{
	size_t room = line->cap - line->len - 1;
	if (n > room)
		n = room;
	memcpy(line->buf + line->len, text, n);
	line->len += n;
}

/* A field that the event does not have is left out. */
static void add_field(struct line *line, const struct event *ev, const char *key, size_t n)
{
	const struct ev_field *f = ev->fields;
	while (f != NULL && f->key != NULL && (strncmp(f->key, key, n) != 0 || f->key[n] != '\0'))
		f++;
	if (f == NULL || f->key == NULL)
		return;
	char digits[24];
	snprintf(digits, sizeof digits, "%lld", (long long)f->num);
	const char *text = f->is == EV_IS_NUM ? digits : f->is == EV_IS_BOOL ? (f->num ? "yes" : "no") : f->text;
	if (text == NULL || f->is == EV_IS_BYTES)
		return;
	char hidden[TEXT_MOST];
	report_text_add(line, hidden, redact_text(hidden, sizeof hidden, text, strlen(text)));
}

size_t report_text(char *buf, size_t cap, const struct event *ev, bool all)
{
	struct line line = { .buf = buf, .cap = cap };
	if (cap == 0)
		return 0;
	if (ev->conn != 0) {
		char number[16];
		int n = snprintf(number, sizeof number, "[%u] ", (unsigned)ev->conn);
		report_text_add(&line, number, (size_t)n);
	}
	const char *p = ev_rows[ev->kind].sentence;
	while (*p != '\0' && (all || *p != '|')) {
		p += *p == '|';
		size_t plain = strcspn(p, "{|"), key = strcspn(p + plain, "}");
		report_text_add(&line, p, plain);
		p += plain;
		if (*p == '{') {
			add_field(&line, ev, p + 1, key - 1);
			p += key + (p[key] == '}');
		}
	}
	buf[line.len] = '\0';
	return line.len;
}
