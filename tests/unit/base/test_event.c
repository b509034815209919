/* Events: what reaches a sink, and that the rows are fit to be shown. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/event.h"

#include <ctype.h>
#include <string.h>

struct log {
	unsigned n;
	enum ev_kind kind;
	uint32_t conn;
	char keys[64];
	int64_t num;
	char text[32];
};

static void note(void *arg, const struct event *ev)
{
	struct log *log = arg;
	log->n++;
	log->kind = ev->kind;
	log->conn = ev->conn;
	for (const struct ev_field *f = ev->fields; f->key != NULL; f++) {
		strncat(log->keys, f->key, 15);
		if (f->text != NULL)
			strncpy(log->text, f->text, sizeof log->text - 1);
		else
			log->num = f->num;
	}
}

static void test_fields_arrive(void **state)
{
	(void)state;
	struct log log = { 0 };
	const struct event_sink sink = { .emit = note, .arg = &log, .level = EV_DEBUG };
	event(&sink, EV_OPEN, 3, EV_TEXT("peer", "::1"), EV_NUM("active", 12));
	assert_int_equal(log.n, 1);
	assert_int_equal(log.kind, EV_OPEN);
	assert_int_equal(log.conn, 3);
	assert_string_equal(log.keys, "peeractive");
	assert_string_equal(log.text, "::1");
	assert_int_equal(log.num, 12);
}

static void test_level(void **state)
{
	(void)state;
	for (int kind = 0; kind < EV_KINDS; kind++)
		for (int level = EV_LOUD; level <= EV_DEBUG; level++) {
			struct log log = { 0 };
			const struct event_sink sink = { .emit = note, .arg = &log, .level = (enum ev_level)level };
			event(&sink, (enum ev_kind)kind, 0, EV_NUM("x", 1));
			assert_int_equal(log.n, (int)ev_rows[kind].level <= level);
			event(NULL, (enum ev_kind)kind, 0, EV_NUM("x", 1)); /* no listener */
		}
}

static void test_rows(void **state)
{
	(void)state;
	for (int i = 0; i < EV_KINDS; i++) {
		const struct ev_row *r = &ev_rows[i];
		for (const char *p = r->name; *p != '\0'; p++)
			assert_true(islower((unsigned char)*p) || *p == '_');
		assert_in_range(r->level, EV_LOUD, EV_DEBUG);
		int depth = 0;
		for (const char *p = r->sentence; *p != '\0'; p++) {
			depth += (*p == '{') - (*p == '}');
			assert_in_range(depth, 0, 1);
		}
		assert_int_equal(depth, 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_arrive),
		cmocka_unit_test(test_level),
		cmocka_unit_test(test_rows),
	};
	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
