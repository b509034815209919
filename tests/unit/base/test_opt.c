/* Options: each kind of row, its default, what was given, and what is said about mistakes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/opt.h"
#include "base/sys.h"

#include <string.h>

struct block {
	bool flag;
	int64_t number, wide, size, ms, seconds;
	const char *text;
	struct opt_list list;
	int choice;
	char *hooked;
	unsigned hooks;
};

static int hook(void *block, const char *text, struct err *e)
{
	struct block *b = block;
	if (text != NULL && strcmp(text, "bad") == 0)
		return err_set(e, ERR_USAGE, 0, "the hook refuses");
	char *copy = mem_text(text != NULL ? text : "none");
	if (copy == NULL)
		return err_set(e, ERR_LOCAL, 0, "no memory");
	mem_free(b->hooked);
	b->hooked = copy;
	b->hooks++;
	return 0;
}

static int check(void *block, struct err *e)
{
	const struct block *b = block;
	return b->number == 7 ? err_set(e, ERR_USAGE, 0, "seven is taken") : 0;
}

static void let_go(void *block)
{
	mem_free(((struct block *)block)->hooked);
}

#define AT(field) .off = offsetof(struct block, field)

static const struct opt rows[] = {
	{ .name = "flag", .ch = 'f', .kind = OPT_FLAG, AT(flag) },
	{ .name = "number", .kind = OPT_INT, AT(number), .arg = "N", .def = "3", .min = 1, .max = 9 },
	{ .name = "wide", .kind = OPT_INT, AT(wide), .arg = "N" },
	{ .name = "size", .kind = OPT_SIZE, AT(size), .arg = "N", .def = "64k", .min = 1024, .max = INT64_MAX },
	{ .name = "ms", .kind = OPT_MS, AT(ms), .arg = "T", .def = "250ms", .min = 1, .max = 60000 },
	{ .name = "seconds", .ch = 'w', .kind = OPT_SECONDS, AT(seconds), .arg = "T", .def = "2" },
	{ .name = "text", .kind = OPT_TEXT, AT(text), .arg = "PATH" },
	{ .name = "list", .kind = OPT_LIST, AT(list), .arg = "PATH", .def = "from-the-row" },
	{ .name = "choice", .kind = OPT_CHOICE, AT(choice), .arg = "auto|both|peer", .def = "both" },
	{ .name = "hook", .kind = OPT_HOOK, AT(hooked), .arg = "X", .def = "begin", .hook = hook },
	{ .name = "bare-hook", .kind = OPT_HOOK, .hook = hook },
	{ 0 },
};
static const struct opt_group group = {
	.title = "Everything", .size = sizeof(struct block), .rows = rows, .check = check, .free = let_go
};

struct small {
	int64_t n;
};
static const struct opt small_rows[] = { { .name = "n", .kind = OPT_INT, .arg = "N", .def = "1" }, { 0 } };
static const struct opt_group shared = { .title = "Shared", .size = sizeof(struct small), .rows = small_rows };
static const struct opt_group others = { .title = "Others", .size = sizeof(struct small), .rows = small_rows };
static const struct opt_group nobodys = { .title = "Nobody's", .size = sizeof(struct small), .rows = small_rows };

static const struct command one = { .name = "one", .groups = (const struct opt_group *const[]){ &group, &shared, NULL } };
static const struct command two = { .name = "two", .groups = (const struct opt_group *const[]){ &shared, &others, NULL } };
static const struct command *const commands[] = { &one, &two, NULL };

static struct conf *open_conf(const struct command *running)
{
	struct err e = { 0 };
	struct conf *conf = conf_new(commands, running, &e);
	if (conf == NULL)
		fail_msg("%s", e.what);
	return conf;
}

static const struct opt *row(const char *name)
{
	for (const struct opt *r = rows; r->name != NULL; r++)
		if (strcmp(r->name, name) == 0)
			return r;
	fail();
	return NULL;
}

static void set(struct conf *conf, const char *name, const char *text)
{
	struct err e = { 0 };
	if (conf_set(conf, &group, row(name), text, &e) != 0)
		fail_msg("%s", e.what);
}

static void test_defaults(void **state)
{
	(void)state;
	struct conf *conf = open_conf(&two);
	const struct block *b = conf_get(conf, &group); /* not a group of the running command, but of some */
	assert_false(b->flag);
	assert_int_equal(b->number, 3);
	assert_int_equal(b->wide, 0);
	assert_int_equal(b->size, 65536);
	assert_int_equal(b->ms, 250);
	assert_int_equal(b->seconds, 2000);
	assert_null(b->text);
	assert_int_equal(b->list.n, 1);
	assert_string_equal(b->list.v[0], "from-the-row");
	assert_int_equal(b->choice, 1);
	assert_string_equal(b->hooked, "begin");
	assert_int_equal(b->hooks, 1);
	assert_int_equal(((const struct small *)conf_get(conf, &shared))->n, 1);
	assert_int_equal(((const struct small *)conf_get(conf, &others))->n, 1);
	conf_free(conf);
}

static void test_each_kind(void **state)
{
	(void)state;
	struct conf *conf = open_conf(&one);
	const struct block *b = conf_get(conf, &group);
	const char *borrowed = "somewhere";
	set(conf, "flag", NULL);
	set(conf, "number", "9");
	set(conf, "wide", "123456789012");
	set(conf, "size", "1k");
	set(conf, "ms", "1m");
	set(conf, "seconds", "5");
	set(conf, "text", borrowed);
	set(conf, "list", "a");
	set(conf, "list", "b");
	set(conf, "choice", "auto");
	set(conf, "hook", "x");
	set(conf, "bare-hook", NULL);
	assert_true(b->flag);
	assert_int_equal(b->number, 9);
	assert_int_equal(b->wide, 123456789012);
	assert_int_equal(b->size, 1024);
	assert_int_equal(b->ms, 60000);
	assert_int_equal(b->seconds, 5000);
	assert_ptr_equal(b->text, borrowed);
	assert_int_equal(b->list.n, 2); /* what is given replaces the default */
	assert_string_equal(b->list.v[0], "a");
	assert_string_equal(b->list.v[1], "b");
	assert_int_equal(b->choice, 0);
	assert_string_equal(b->hooked, "none");
	for (const struct opt *r = rows; r->name != NULL; r++)
		assert_ptr_equal(conf_given(conf, &group, r->off), r->off != 0 ? r : rows); /* "bare-hook" has no field */
	assert_null(conf_given(conf, &shared, OPT_ANY));
	conf_free(conf);
}

static void test_mistakes(void **state)
{
	(void)state;
	static const struct {
		const char *name, *text, *says;
	} cases[] = { { "number", "0", "--number: got \"0\", expected" }, { "number", "10", "from 1 to 9" },
		{ "number", "x", "--number" }, { "wide", "-1", "0 or more" }, { "size", "1023", "expected 1024 bytes or more" },
		{ "size", "1m", "--size: got \"1m\"" }, { "ms", "61s", "expected 1 to 60000 milliseconds" },
		{ "ms", "5", "--ms" }, { "ms", "0", "--ms" }, { "seconds", "x", "--seconds" },
		{ "choice", "none", "expected auto, both or peer" }, { "choice", "aut", "--choice" },
		{ "choice", "", "--choice" }, { "choice", "auto|both", "--choice" },
		{ "hook", "bad", "--hook: the hook refuses" } };
	struct conf *conf = open_conf(&one);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct err e = { 0 };
		assert_int_equal(conf_set(conf, &group, row(cases[i].name), cases[i].text, &e), -1);
		assert_int_equal(e.cls, ERR_USAGE);
		if (strstr(e.what, cases[i].says) == NULL)
			fail_msg("\"%s\" says: %s", cases[i].text, e.what);
		assert_null(conf_given(conf, &group, OPT_ANY));
	}
	struct err e = { 0 };
	assert_int_equal(conf_set_as(conf, &group, row("seconds"), "-w", "x", &e), -1);
	assert_int_equal(strncmp(e.what, "-w: ", 4), 0); /* as it was typed */
	assert_int_equal(conf_set(conf, &nobodys, &small_rows[0], "1", &e), -1);
	assert_int_equal(e.cls, ERR_BUG);
	assert_null(conf_get(conf, &nobodys));
	assert_int_equal(((const struct block *)conf_get(conf, &group))->number, 3);
	conf_free(conf);
}

static void test_relations(void **state)
{
	(void)state;
	struct err e = { 0 };
	struct conf *conf = open_conf(&one);
	assert_int_equal(conf_check(conf, &e), 0);
	set(conf, "number", "7");
	assert_int_equal(conf_check(conf, &e), -1);
	assert_string_equal(e.what, "seven is taken");
	conf_free(conf);
	conf = open_conf(&two); /* whose groups have no relations */
	set(conf, "number", "7");
	assert_int_equal(conf_check(conf, &e), 0);
	conf_free(conf);
}

static void test_our_own_mistake(void **state)
{
	(void)state;
	static const struct opt wrong[] = { { .name = "n", .kind = OPT_INT, .def = "10", .min = 1, .max = 9 }, { 0 } };
	static const struct opt_group bad = { .title = "Bad", .size = sizeof(struct small), .rows = wrong };
	const struct command odd = { .name = "odd", .groups = (const struct opt_group *const[]){ &bad, NULL } };
	struct err e = { 0 };
	assert_null(conf_new((const struct command *const[]){ &odd, NULL }, &odd, &e));
	assert_int_equal(e.cls, ERR_BUG);
	assert_non_null(strstr(e.what, "default of --n"));
}

static int allowed;

static int no_more_memory(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	return call == SYS_MEMORY && allowed-- <= 0 ? ENOMEM : 0;
}

/* Every allocation fails once: a clean refusal, and nothing leaks (the sanitizer would say so). */
static void test_without_memory(void **state)
{
	(void)state;
	struct conf *conf = NULL;
	int failures = 0;
	sys_gate = no_more_memory;
	for (int n = 0; conf == NULL; n++) {
		struct err e = { 0 };
		allowed = n;
		conf = conf_new(commands, &one, &e);
		if (conf == NULL) {
			assert_int_equal(e.cls, ERR_LOCAL);
			failures++;
		}
	}
	assert_true(failures > 8);
	allowed = 0;
	struct err e = { 0 };
	assert_int_equal(conf_set(conf, &group, row("list"), "a", &e), conf_set(conf, &group, row("list"), "b", &e));
	assert_int_equal(e.cls, ERR_LOCAL);
	sys_gate = NULL;
	conf_free(conf);
	conf_free(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_each_kind),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_relations),
		cmocka_unit_test(test_our_own_mistake),
		cmocka_unit_test(test_without_memory),
	};
	return cmocka_run_group_tests_name("opt", tests, NULL, NULL);
}
