/* Events as NDJSON.
 *
 * The keys come from the event's row, in its order, so fields that only the sentence needs are left out. A long value must not
 * displace the others: each text may use what is left except FIELD_BYTES for each key after it, which is room for any number. A
 * cut text ends with an ellipsis. */
#include "report/report.h"

#include "base/url.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { FIELD_BYTES = 48, END_BYTES = 2 /* } and newline */ };

struct line {
	char *at;
	const char *end; /* the end of the room that may be filled now */
};

static const char ellipsis[] = "\xe2\x80\xa6";

static size_t report_json_left(const struct line *l)
{
	return (size_t)(l->end - l->at);
}

static void report_json_put(struct line *l, const char *text, size_t n)
{
	if (n > report_json_left(l))
		return;
	memcpy(l->at, text, n);
	l->at += n;
}

static void put_number(struct line *l, long long value)
{
	char digits[24];
	report_json_put(l, digits, (size_t)snprintf(digits, sizeof digits, "%lld", value));
}

static void put_key(struct line *l, const char *key, size_t n)
{
	if (l->at[-1] != '{')
		report_json_put(l, ",", 1);
	report_json_put(l, "\"", 1);
	report_json_put(l, key, n);
	report_json_put(l, "\":", 2);
}

/* One character of a string: the bytes that it takes of p, and in out how it is written. */
static size_t report_json_escape(const unsigned char *p, size_t n, char out[16], size_t *written)
{
	static const char names[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	uint32_t cp = 0;
	int len = utf8_decode(p, n, &cp);
	const char *name = p[0] != '\0' ? strchr(names, p[0]) : NULL;
	int size;
	if (name != NULL)
		size = snprintf(out, 16, "\\%c", letters[name - names]);
	else if (len <= 0)
		size = snprintf(out, 16, "\xef\xbf\xbd");
	else if (text_printable(cp))
		size = snprintf(out, 16, "%.*s", len, (const char *)p);
	else if (cp < 0x10000)
		size = snprintf(out, 16, "\\u%04x", (unsigned)cp);
	else
		size = snprintf(out, 16, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((cp - 0x10000) >> 10)),
			(unsigned)(0xdc00 + (cp & 0x3ff)));
	*written = (size_t)size;
	return len > 0 ? (size_t)len : 1;
}

static void put_string(struct line *l, const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;
	struct line inner = { l->at, l->end - 1 };
	report_json_put(&inner, "\"", 1);
	while (n > 0) {
		char piece[16];
		size_t len, step = report_json_escape(p, n, piece, &len);
		size_t tail = n > step ? sizeof ellipsis - 1 : 0;
		if (len + tail > report_json_left(&inner)) {
			report_json_put(&inner, ellipsis, sizeof ellipsis - 1);
			break;
		}
		report_json_put(&inner, piece, len);
		p += step;
		n -= step;
	}
	l->at = inner.at;
	report_json_put(l, "\"", 1);
}

static void put_text(struct line *l, const char *text)
{
	char hidden[REPORT_LINE];
	put_string(l, hidden, redact_text(hidden, sizeof hidden, text, strlen(text)));
}

/* "a, b" as ["a","b"], numbers as they are. */
static void put_list(struct line *l, const struct ev_field *f)
{
	const char *p = f->text;
	struct line inner = { l->at, l->end - 1 };
	report_json_put(&inner, "[", 1);
	while (*p != '\0') {
		const char *comma = strstr(p, ", ");
		size_t n = comma != NULL ? (size_t)(comma - p) : strlen(p);
		if (report_json_left(&inner) < n * (f->is == EV_IS_NUMS ? 1 : 6) + 3)
			break; /* drop a whole item rather than cut it */
		if (p != f->text)
			report_json_put(&inner, ",", 1);
		if (f->is == EV_IS_NUMS)
			report_json_put(&inner, p, n);
		else
			put_string(&inner, p, n);
		p += comma != NULL ? n + 2 : n;
	}
	l->at = inner.at;
	report_json_put(l, "]", 1);
}

static void put_base64(struct line *l, const unsigned char *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t most = report_json_left(l) < 2 ? 0 : (report_json_left(l) - 2) / 4 * 3;
	report_json_put(l, "\"", 1);
	n = n < most ? n : most;
	for (size_t i = 0; i < n; i += 3) {
		size_t three = n - i < 3 ? n - i : 3;
		uint32_t bits = (uint32_t)p[i] << 16 | (uint32_t)(three > 1 ? p[i + 1] : 0) << 8 | (three > 2 ? p[i + 2] : 0);
		char four[4] = { digits[bits >> 18], digits[bits >> 12 & 63], '=', '=' };
		if (three > 1)
			four[2] = digits[bits >> 6 & 63];
		if (three > 2)
			four[3] = digits[bits & 63];
		report_json_put(l, four, sizeof four);
	}
	report_json_put(l, "\"", 1);
}

static void put_value(struct line *l, const struct ev_field *f)
{
	switch (f->is) {
	case EV_IS_NUM:
		put_number(l, (long long)f->num);
		break;
	case EV_IS_BOOL:
		report_json_put(l, f->num != 0 ? "true" : "false", f->num != 0 ? 4 : 5);
		break;
	case EV_IS_TEXT:
		put_text(l, f->text);
		break;
	case EV_IS_WORDS:
	case EV_IS_NUMS:
		put_list(l, f);
		break;
	case EV_IS_BYTES:
		put_base64(l, (const unsigned char *)f->text, (size_t)f->num);
		break;
	}
}

static const struct ev_field *report_json_find(const struct event *ev, const char *key, size_t n)
{
	for (const struct ev_field *f = ev->fields; f != NULL && f->key != NULL; f++)
		if (strncmp(f->key, key, n) == 0 && f->key[n] == '\0')
			return f->text != NULL || f->is == EV_IS_NUM || f->is == EV_IS_BOOL ? f : NULL;
	return NULL;
}

static size_t count_words(const char *p)
{
	size_t n = *p != '\0';
	for (; *p != '\0'; p++)
		n += *p == ' ';
	return n;
}

static void put_common(struct line *l, const struct event *ev, const struct report_stamp *stamp)
{
	char head[192];
	struct tm day;
	gmtime_r(&stamp->at.tv_sec, &day);
	int n = snprintf(head, sizeof head,
		"{\"v\":1,\"ev\":\"%s\",\"seq\":%llu,\"ts\":\"%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ\",\"us\":%lld",
		ev_rows[ev->kind].name, (unsigned long long)stamp->seq, day.tm_year + 1900, day.tm_mon + 1, day.tm_mday,
		day.tm_hour, day.tm_min, day.tm_sec, stamp->at.tv_nsec / 1000, (long long)stamp->us);
	report_json_put(l, head, (size_t)n);
	if (ev->conn == 0)
		return;
	put_key(l, "conn", 4);
	put_number(l, (long long)ev->conn);
}

size_t report_json(char line[REPORT_LINE], const struct event *ev, const struct report_stamp *stamp)
{
	struct line l = { line, line + REPORT_LINE - END_BYTES };
	const char *key = ev_rows[ev->kind].fields;
	put_common(&l, ev, stamp);
	for (size_t behind = count_words(key); behind > 0; behind--) {
		size_t n = strcspn(key, " ");
		const struct ev_field *f = report_json_find(ev, key, n);
		l.end = line + REPORT_LINE - END_BYTES - (behind - 1) * FIELD_BYTES;
		if (f != NULL) {
			put_key(&l, key, n);
			put_value(&l, f);
		}
		key += n + 1;
	}
	memcpy(l.at, "}\n", END_BYTES);
	return (size_t)(l.at + END_BYTES - line);
}
