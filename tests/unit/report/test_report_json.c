/* Lines of JSON: strict whatever an event holds, never too long, and no value costs another. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "report/report.h"
#include "strict.h"

#include <stdio.h>
#include <string.h>

static const struct report_stamp stamp = { .seq = 7, .at = { .tv_sec = 1000000000, .tv_nsec = 12345678 }, .us = 42 };
static const char head[] = "\"seq\":7,\"ts\":\"2001-09-09T01:46:40.012345Z\",\"us\":42";

static char line[REPORT_LINE + 1];

static size_t write_line(enum ev_kind kind, uint32_t conn, const struct ev_field *fields)
{
	const struct event ev = { .kind = kind, .conn = conn, .fields = fields };
	memset(line, '#', sizeof line);
	size_t n = report_json(line, &ev, &stamp);
	assert_in_range(n, 2, REPORT_LINE);
	assert_int_equal(line[n], '#'); /* nothing is written behind it */
	line[n] = '\0';
	const char *wrong = strict_line(line, n);
	if (wrong != NULL)
		fail_msg("no strict JSON at %zu: %s", (size_t)(wrong - line), line);
	return n;
}
#define WRITE(kind, conn, ...) write_line((kind), (conn), (const struct ev_field[]){ __VA_ARGS__, { 0 } })

static void is(const char *rest)
{
	char all[512];
	snprintf(all, sizeof all, "{\"v\":1,%s\n", rest);
	assert_string_equal(line, all);
}

static void every_kind_of_value(void **state)
{
	(void)state;
	char want[400];
	WRITE(EV_READY, 0, EV_TEXT("url", "tcp://[::1]:80"), EV_TEXT("host", "::1"), EV_NUMS("ports", "80, 81"));
	snprintf(want, sizeof want, "\"ev\":\"ready\",%s,\"ports\":[80,81],\"host\":\"::1\",\"url\":\"tcp://[::1]:80\"}", head);
	is(want);
	WRITE(EV_CLOSE, 4294967295U, EV_TEXT("by", "peer"), EV_TEXT("error", NULL), EV_BOOL("truncated", true),
		EV_SOME("errno", 0), EV_NUM("in", INT64_MIN), EV_NUM("out", INT64_MAX), EV_TEXT("words", "for people"));
	snprintf(want, sizeof want,
		"\"ev\":\"close\",%s,\"conn\":4294967295,\"by\":\"peer\",\"truncated\":true,\"in\":-9223372036854775808,"
		"\"out\":9223372036854775807}",
		head);
	is(want);
	WRITE(EV_RESOLVE, 0, EV_TEXT("host", "h"), EV_WORDS("addrs", "::1, 127.0.0.1"));
	snprintf(want, sizeof want, "\"ev\":\"resolve\",%s,\"host\":\"h\",\"addrs\":[\"::1\",\"127.0.0.1\"]}", head);
	is(want);
	WRITE(EV_RESOLVE, 0, EV_WORDS("addrs", ""), EV_TEXT("host", ""));
	snprintf(want, sizeof want, "\"ev\":\"resolve\",%s,\"host\":\"\",\"addrs\":[]}", head);
	is(want);
	WRITE(EV_EOF, 1, EV_BOOL("dir", false));
	snprintf(want, sizeof want, "\"ev\":\"eof\",%s,\"conn\":1,\"dir\":false}", head);
	is(want);
	write_line(EV_NOTE, 0, NULL);
	snprintf(want, sizeof want, "\"ev\":\"note\",%s}", head);
	is(want);
}

static void each_byte_value_alone_and_in_a_row(void **state)
{
	(void)state;
	char all[256], got[REPORT_LINE];
	for (int i = 1; i < 256; i++) {
		const char one[] = { (char)i, '\0' };
		WRITE(EV_NOTE, 0, EV_TEXT("text", one));
		long n = strict_string(line, "text", got, sizeof got);
		if (i < 128) { /* itself; anything above is no character */
			assert_int_equal(n, 1);
			assert_int_equal(got[0], i);
		} else {
			assert_int_equal(n, 3);
			assert_memory_equal(got, "\xef\xbf\xbd", 3);
		}
		all[i - 1] = (char)i;
	}
	all[255] = '\0';
	WRITE(EV_NOTE, 0, EV_TEXT("text", all));
	assert_int_equal(strict_string(line, "text", got, sizeof got), 127 + 128 * 3);
}

static void utf8_stays(void **state)
{
	(void)state;
	static const char *const same[] = { "pues hola, se\xc3\xb1or", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbd",
		"\xe2\x80\xae right to left",
		"\xc2\x9b"
		"31m",
		"\xef\xbb\xbf", "\xf3\xa0\x80\x81", "\x1b[2J", "\"\\/\b\f\n\r\t" };
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
		char got[64];
		WRITE(EV_NOTE, 0, EV_TEXT("text", same[i]));
		assert_int_equal(strict_string(line, "text", got, sizeof got), strlen(same[i]));
		assert_memory_equal(got, same[i], strlen(same[i]));
	}
}

static void what_is_no_utf8_becomes_one_sign(void **state)
{
	(void)state;
	static const char *const bad[] = { "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
		"\xc3", "\xe2\x82",
		"a\xff"
		"b" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		WRITE(EV_NOTE, 0, EV_TEXT("text", bad[i]));
		assert_non_null(strstr(line, "\xef\xbf\xbd"));
	}
}

/* Of every length around the limit, and of characters of every size. */
static void long_texts_are_cut(void **state)
{
	(void)state;
	static const char *const signs[] = { "x", "\xc3\xb1", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\x01", "\"", "\xff",
		"\xf3\xa0\x80\x81" };
	static char text[3 * REPORT_LINE];
	for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
		for (size_t len = 300; len < 2 * REPORT_LINE; len += len < 4200 && len > 3700 ? 1 : 97) {
			size_t at = 0, size = strlen(signs[i]);
			for (; at + size <= len; at += size)
				memcpy(text + at, signs[i], size);
			text[at] = '\0';
			WRITE(EV_CLOSE, 9, EV_TEXT("peer", text), EV_TEXT("by", text), EV_TEXT("error", text),
				EV_NUM("errno", INT64_MIN), EV_NUM("in", INT64_MIN), EV_NUM("out", INT64_MIN),
				EV_NUM("dur_us", INT64_MIN), EV_NUM("first_us", INT64_MIN));
			assert_non_null(strstr(line, ",\"first_us\":-9223372036854775808}"));
			WRITE(EV_NOTE, 9, EV_TEXT("text", text));
			if (i == 0 && len > REPORT_LINE) {
				assert_int_equal(strlen(line), REPORT_LINE);
				assert_string_equal(line + REPORT_LINE - 6, "\xe2\x80\xa6\"}\n");
			}
		}
}

static void long_lists_lose_whole_words(void **state)
{
	(void)state;
	static char text[3 * REPORT_LINE];
	for (size_t at = 0; at + 40 < sizeof text;)
		at += (size_t)snprintf(text + at, 40, "%sfe80::%zu", at > 0 ? ", " : "", at);
	WRITE(EV_RESOLVE, 0, EV_TEXT("host", "h"), EV_WORDS("addrs", text));
	assert_non_null(strstr(line, "\"]}\n"));
	assert_true(strlen(line) > REPORT_LINE - 128);
	for (size_t at = 0; at + 40 < sizeof text;)
		at += (size_t)snprintf(text + at, 40, "%s%zu", at > 0 ? ", " : "", at);
	WRITE(EV_READY, 0, EV_NUMS("ports", text), EV_TEXT("host", "h"), EV_TEXT("url", "u"));
	assert_non_null(strstr(line, "\"host\":\"h\",\"url\":\"u\"}"));
	memset(text, 'x', sizeof text - 1);
	WRITE(EV_RESOLVE, 0, EV_TEXT("host", "h"), EV_WORDS("addrs", text));
	assert_non_null(strstr(line, "\"addrs\":[]}"));
}

static void payload_in_base64(void **state)
{
	(void)state;
	static const char *const coded[] = { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
	static unsigned char bytes[2 * EVENT_BYTES_MOST];
	char got[REPORT_LINE] = "";
	for (size_t n = 0; n <= 6; n++) {
		WRITE(EV_DATA, 1, EV_TEXT("dir", "in"), EV_NUM("off", 0), EV_NUM("len", n), EV_BYTES("b64", "foobar", n));
		long len = strict_string(line, "b64", got, sizeof got);
		assert_int_equal(len, strlen(coded[n]));
		assert_memory_equal(got, coded[n], strlen(coded[n]));
	}
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)i;
	WRITE(EV_DATA, UINT32_MAX, EV_TEXT("dir", "out"), EV_NUM("off", INT64_MAX), EV_NUM("len", EVENT_BYTES_MOST),
		EV_BYTES("b64", (const char *)bytes, EVENT_BYTES_MOST));
	assert_int_equal(strict_string(line, "b64", got, sizeof got), (EVENT_BYTES_MOST + 2) / 3 * 4); /* whole */
	assert_memory_equal(got, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", 44);
	WRITE(EV_DATA, 1, EV_BYTES("b64", (const char *)bytes, sizeof bytes)); /* too many, and still a line */
}

static void passwords_are_hidden(void **state)
{
	(void)state;
	char got[200];
	WRITE(EV_NOTE, 0, EV_TEXT("text", "connect socks5://ana:s3@cret@proxy:1080: refused"));
	long n = strict_string(line, "text", got, sizeof got);
	assert_int_equal(n, strlen("connect socks5://ana:***@proxy:1080: refused"));
	assert_null(strstr(line, "cret"));
}

/* Each row alone with all its fields: no key is too long for the room that is kept for it. */
static void every_row(void **state)
{
	(void)state;
	for (int kind = 0; kind < EV_KINDS; kind++) {
		struct ev_field fields[24] = { { 0 } };
		char keys[24][24];
		char member[64];
		size_t n = 0;
		for (const char *p = ev_rows[kind].fields; *p != '\0' && n < 23; n++) {
			size_t len = strcspn(p, " ");
			assert_in_range(len, 1, 20);
			snprintf(keys[n], sizeof keys[n], "%.*s", (int)len, p);
			fields[n] = EV_NUM(keys[n], INT64_MIN);
			p += len + (p[len] == ' ');
		}
		write_line((enum ev_kind)kind, UINT32_MAX, fields);
		for (size_t i = 0; i < n; i++) {
			snprintf(member, sizeof member, ",\"%.20s\":-9223372036854775808", keys[i]);
			assert_non_null(strstr(line, member));
		}
	}
}

/* Rows, lengths and bytes drawn at random. */
static void anything(void **state)
{
	(void)state;
	static char text[6][REPORT_LINE + 512];
	static const char *const keys[] = { "peer", "by", "how", "error", "addrs", "ports" };
	uint32_t draw = 1;
	for (int i = 0; i < 20000; i++) {
		struct ev_field fields[7] = { { 0 } };
		for (size_t k = 0; k < 6; k++) {
			size_t n = 0, most = (draw >> 8) % (i % 8 == 0 ? sizeof text[k] : 200);
			for (; n < most; n++) {
				draw = draw * 1664525 + 1013904223;
				text[k][n] = (char)(draw >> 16 & (i % 3 == 0 ? 0x7f : 0xff));
				text[k][n] = (char)(text[k][n] + (text[k][n] == '\0'));
			}
			text[k][n] = '\0';
			fields[k] = k == 4 ? EV_WORDS(keys[k], text[k]) : EV_TEXT(keys[k], text[k]);
		}
		write_line(i % 2 == 0 ? EV_CLOSE : EV_RESOLVE, draw, fields);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_value),
		cmocka_unit_test(each_byte_value_alone_and_in_a_row),
		cmocka_unit_test(utf8_stays),
		cmocka_unit_test(what_is_no_utf8_becomes_one_sign),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(long_lists_lose_whole_words),
		cmocka_unit_test(payload_in_base64),
		cmocka_unit_test(passwords_are_hidden),
		cmocka_unit_test(every_row),
		cmocka_unit_test(anything),
	};
	return cmocka_run_group_tests_name("report_json", tests, NULL, NULL);
}
