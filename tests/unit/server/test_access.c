/* Admission: the lists entry by entry, the limits, and that what is taken is given back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "guard.h"
#include "net/addr.h"
#include "server/access.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct opt_group *const groups[] = { &addr_opts, &limit_opts, &access_opts, NULL };
static const struct command command = { .name = "test", .groups = groups };
static const struct command *const commands[] = { &command, NULL };

struct operator_io {
	struct run run;
	struct conf *conf;
	struct access *admit;
};

static void set(struct conf *conf, const char *name, const char *text)
{
	struct err e;
	const struct opt_group *const from[] = { &limit_opts, &access_opts };
	for (size_t i = 0; i < sizeof from / sizeof *from; i++)
		for (const struct opt *row = from[i]->rows; row->name != NULL; row++)
			if (strcmp(row->name, name) == 0 && conf_set(conf, from[i], row, text, &e) != 0)
				fail_msg("--%s %s: %s", name, text, e.what);
}

/* words: option, value, option, value ... NULL */
static struct access *try_open(struct operator_io *d, uint32_t max, struct err *e, const char *const *words)
{
	*d = (struct operator_io){ .conf = conf_new(commands, &command, NULL) };
	assert_non_null(d->conf);
	for (; *words != NULL; words += 2)
		set(d->conf, words[0], words[1]);
	d->run = (struct run){ .loop = loop_open(&loop_select, NULL), .conf = d->conf, .seed = 7 };
	d->admit = access_open(&d->run, max, e);
	return d->admit;
}

static void operator_io_close(struct operator_io *d)
{
	access_close(d->admit);
	loop_close(d->run.loop);
	conf_free(d->conf);
}

#define OPEN(d, ...)                                                                                                             \
	do {                                                                                                                     \
		struct err open_e = { 0 };                                                                                       \
		const char *const open_words[] = { __VA_ARGS__, NULL };                                                          \
		if (try_open((d), 0, &open_e, open_words) == NULL)                                                               \
			fail_msg("%s", open_e.what);                                                                             \
	} while (0)

static struct sa at(const char *numeric)
{
	struct sa sa;
	if (strcmp(numeric, "unix") == 0)
		return (struct sa){ .family = AF_UNIX };
	assert_true(sa_parse(&sa, numeric, 4000));
	return sa;
}

static enum access_answer ask(struct operator_io *d, const char *numeric, int64_t now_ms)
{
	struct sa sa = at(numeric);
	return access_ask(d->admit, &sa, now_ms);
}

static void leave(struct operator_io *d, const char *numeric)
{
	struct sa sa = at(numeric);
	access_leave(d->admit, &sa);
}

static void lists_decide(void **state)
{
	(void)state;
	static const struct {
		const char *option, *entry, *peer;
		enum access_answer verdict;
	} rows[] = {
		{ "allow", "10.0.0.0/8", "10.255.0.1", ACCESS_YES },
		{ "allow", "10.0.0.0/8", "11.0.0.1", ACCESS_DENY },
		{ "allow", "10.1.2.3/8", "10.9.9.9", ACCESS_YES }, /* host bits are masked */
		{ "allow", "10.0.0.0/8", "::ffff:10.1.1.1", ACCESS_YES },
		{ "allow", "::ffff:10.0.0.0/104", "10.1.1.1", ACCESS_YES },
		{ "allow", "::ffff:10.0.0.0/104", "11.1.1.1", ACCESS_DENY },
		{ "allow", "10.0.0.0/8", "::1", ACCESS_DENY },
		{ "allow", "10.0.0.0/8", "unix", ACCESS_YES },
		{ "deny", "0.0.0.0/0", "1.2.3.4", ACCESS_DENY },
		{ "deny", "0.0.0.0/0", "::1", ACCESS_YES },
		{ "deny", "::/0", "1.2.3.4", ACCESS_YES },
		{ "deny", "::/0", "::1", ACCESS_DENY },
		{ "deny", "::/0", "unix", ACCESS_YES },
		{ "deny", "192.168.1.128/25", "192.168.1.127", ACCESS_YES },
		{ "deny", "192.168.1.128/25", "192.168.1.128", ACCESS_DENY },
		{ "deny", "192.168.1.7/32", "192.168.1.7", ACCESS_DENY },
		{ "deny", "192.168.1.7/32", "192.168.1.6", ACCESS_YES },
		{ "deny", "192.168.1.7", "192.168.1.6", ACCESS_YES },
		{ "deny", "2001:db8::/33", "2001:db8:7fff::1", ACCESS_DENY },
		{ "deny", "2001:db8::/33", "2001:db8:8000::1", ACCESS_YES },
		{ "deny", "2001:db8::1", "2001:db8::1", ACCESS_DENY },
		{ "deny", "2001:db8::1/128", "2001:db8::2", ACCESS_YES },
		{ "deny", "fe80::/10", "fe80::7%1", ACCESS_DENY },
		{ "deny", "localhost", "127.0.0.1", ACCESS_DENY },
		{ "deny", "localhost", "127.0.0.2", ACCESS_YES },
	};
	struct guard g = { 0 };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct operator_io d;
		OPEN(&d, rows[i].option, guard_text(&g, rows[i].entry));
		enum access_answer v = ask(&d, rows[i].peer, 0);
		if (v != rows[i].verdict)
			fail_msg("--%s %s, %s: %s", rows[i].option, rows[i].entry, rows[i].peer, access_name(v));
		operator_io_close(&d);
	}
	guard_free(&g);
}

static void deny_wins(void **state)
{
	(void)state;
	struct operator_io d;
	OPEN(&d, "allow", "10.0.0.0/8", "deny", "10.1.0.0/16", "allow", "10.1.1.1", "max", "0");
	assert_int_equal(ask(&d, "10.2.0.1", 0), ACCESS_YES);
	assert_int_equal(ask(&d, "10.1.1.1", 0), ACCESS_DENY);
	access_drain(d.admit);
	assert_int_equal(ask(&d, "10.1.1.1", 0), ACCESS_DENY);
	assert_int_equal(ask(&d, "10.2.0.1", 0), ACCESS_DRAIN);
	operator_io_close(&d);
}

static void bad_entries_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *entry, *says;
		enum err_class cls;
	} rows[] = {
		{ "", "expected an address", ERR_USAGE },
		{ "10.0.0.0/33", "--deny \"10.0.0.0/33\": expected 0 to 32 bits", ERR_USAGE },
		{ "::/129", "expected 0 to 128 bits", ERR_USAGE },
		{ "::ffff:10.0.0.0/95", "expected 96 to 128 bits", ERR_USAGE },
		{ "10.0.0.0/", "expected 0 to 32 bits", ERR_USAGE },
		{ "10.0.0.0/-1", "expected 0 to 32 bits", ERR_USAGE },
		{ "10.0.0.0/8/8", "expected 0 to 32 bits", ERR_USAGE },
		{ "10.0.0/8", "address before the /", ERR_USAGE },
		{ "/8", "address before the /", ERR_USAGE },
		{ "host/8", "address before the /", ERR_USAGE },
		{ "10.0.0.300", "no IPv4 or IPv6 address", ERR_USAGE },
		{ "10", "no IPv4 or IPv6 address", ERR_USAGE },
		{ "::g", "no IPv4 or IPv6 address", ERR_USAGE },
		{ "127.0.0.1:80", "no IPv4 or IPv6 address", ERR_USAGE },
		{ "fe80::1%1", "without %interface", ERR_USAGE },
		{ "a b", "expected an address", ERR_USAGE },
		{ "a\x1b[2J", "\"a\\x1b[2J\"", ERR_USAGE },
		{ "@/nonexistent/list", "open /nonexistent/list: No such file", ERR_USAGE },
		{ "@/", "Is a directory", ERR_USAGE },
		{ "@/dev/zero", "longer than 4 MiB", ERR_USAGE },
	};
	struct guard g = { 0 };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct operator_io d;
		struct err e = { 0 };
		const char *const words[] = { "deny", guard_text(&g, rows[i].entry), NULL };
		if (try_open(&d, 0, &e, words) != NULL)
			fail_msg("\"%s\" was taken", rows[i].entry);
		assert_int_equal(e.cls, rows[i].cls);
		if (strstr(e.what, rows[i].says) == NULL)
			fail_msg("\"%s\": \"%s\" does not say \"%s\"", rows[i].entry, e.what, rows[i].says);
		operator_io_close(&d);
	}
	guard_free(&g);
}

static void write_file(const char *path, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

static void lists_in_files(void **state)
{
	(void)state;
	char folder[] = "/tmp/admitXXXXXX", path[64], arg[70];
	static const char good[] = "# who may\r\n10.0.0.0/8   # the house\r\n\n \t 2001:db8::/32\n127.0.0.1";
	static const char bad[] = "10.0.0.0/8\n\n10.0.0.0/99\n";
	struct operator_io d;
	struct err e;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/list", folder);
	snprintf(arg, sizeof arg, "@%s", path);
	const char *const words[] = { "allow", arg, NULL };

	write_file(path, good, sizeof good - 1);
	OPEN(&d, "allow", arg);
	assert_int_equal(ask(&d, "10.1.1.1", 0), ACCESS_YES);
	assert_int_equal(ask(&d, "2001:db8::7", 0), ACCESS_YES);
	assert_int_equal(ask(&d, "127.0.0.1", 0), ACCESS_YES);
	assert_int_equal(ask(&d, "127.0.0.2", 0), ACCESS_DENY);
	operator_io_close(&d);

	write_file(path, "", 0); /* an empty list lets no peer in */
	OPEN(&d, "allow", arg);
	assert_int_equal(ask(&d, "127.0.0.1", 0), ACCESS_DENY);
	operator_io_close(&d);

	write_file(path, bad, sizeof bad - 1);
	assert_null(try_open(&d, 0, &e, words));
	assert_non_null(strstr(e.what, "list:3: \"10.0.0.0/99\""));
	operator_io_close(&d);

	write_file(path, "10.0.0.0/8\n\0", 12);
	assert_null(try_open(&d, 0, &e, words));
	assert_non_null(strstr(e.what, "NUL byte"));
	operator_io_close(&d);

	char *many = malloc(200000);
	assert_non_null(many);
	size_t n = 0;
	for (int i = 0; i < 5000; i++)
		n += (size_t)snprintf(many + n, 200000 - n, "10.%d.%d.7 # a line among many\n", i / 256, i % 256);
	write_file(path, many, n);
	free(many);
	OPEN(&d, "allow", arg);
	assert_int_equal(ask(&d, "10.19.135.7", 0), ACCESS_YES);
	assert_int_equal(ask(&d, "10.19.136.7", 0), ACCESS_DENY);
	operator_io_close(&d);
	unlink(path);
	rmdir(folder);
}

static void so_many_and_no_more(void **state)
{
	(void)state;
	struct operator_io d;
	struct err e;
	const char *const none[] = { NULL };
	assert_non_null(try_open(&d, 0, &e, none));
	assert_int_equal(access_max(d.admit), 100);
	operator_io_close(&d);

	assert_non_null(try_open(&d, 2, &e, none));
	assert_int_equal(access_max(d.admit), 2);
	assert_int_equal(ask(&d, "10.0.0.1", 0), ACCESS_YES);
	assert_int_equal(ask(&d, "unix", 0), ACCESS_YES);
	assert_int_equal(ask(&d, "10.0.0.2", 0), ACCESS_FULL);
	assert_int_equal(access_active(d.admit), 2);
	leave(&d, "unix");
	assert_int_equal(ask(&d, "10.0.0.2", 0), ACCESS_YES);
	operator_io_close(&d);
}

static void per_address(void **state)
{
	(void)state;
	struct operator_io d;
	OPEN(&d, "max-per-ip", "2", "max", "50");
	assert_int_equal(ask(&d, "10.0.0.1", 0), ACCESS_YES);
	assert_int_equal(ask(&d, "::ffff:10.0.0.1", 0), ACCESS_YES);
	assert_int_equal(ask(&d, "10.0.0.1", 0), ACCESS_PER_IP);
	assert_int_equal(ask(&d, "10.0.0.2", 0), ACCESS_YES);
	leave(&d, "10.0.0.1");
	assert_int_equal(ask(&d, "10.0.0.1", 0), ACCESS_YES);
	assert_int_equal(ask(&d, "2001:db8::1", 0), ACCESS_YES); /* one /64 */
	assert_int_equal(ask(&d, "2001:db8:0:0:ffff::1", 0), ACCESS_YES);
	assert_int_equal(ask(&d, "2001:db8::2", 0), ACCESS_PER_IP);
	assert_int_equal(ask(&d, "2001:db8:0:1::2", 0), ACCESS_YES);
	for (int i = 0; i < 5; i++)
		assert_int_equal(ask(&d, "unix", 0), ACCESS_YES);
	assert_int_equal(access_active(d.admit), 11);
	operator_io_close(&d); /* with holders still in the table */
}

static void the_rate_is_a_bucket(void **state)
{
	(void)state;
	struct operator_io d;
	OPEN(&d, "conn-rate", "3", "max-per-ip", "4", "max", "0");
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(&d, "10.0.0.1", 5000), ACCESS_YES);
	assert_int_equal(ask(&d, "10.0.0.1", 5000), ACCESS_RATE);
	assert_int_equal(ask(&d, "10.0.0.1", 5333), ACCESS_RATE); /* 0.999 tokens */
	assert_int_equal(ask(&d, "10.0.0.1", 5334), ACCESS_YES);  /* and no place was lost on the way */
	assert_int_equal(ask(&d, "10.0.0.1", 9000), ACCESS_PER_IP);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(&d, "10.0.0.2", 1000000), ACCESS_YES);
	assert_int_equal(ask(&d, "10.0.0.2", 1000000), ACCESS_RATE); /* a long rest fills it no higher */
	assert_int_equal(access_active(d.admit), 7);
	operator_io_close(&d);
}

static int no_memory(enum sys_call call, int fd, size_t *most_bytes)
{
	(void)fd;
	(void)most_bytes;
	return call == SYS_MEMORY ? ENOMEM : 0;
}

/* What a place given back by another would be good for. */
static void what_one_lacks(void **state)
{
	(void)state;
	struct operator_io d;
	struct sa one = at("10.0.0.1"), other = at("10.0.0.2"), local = at("unix");
	OPEN(&d, "max", "2", "max-per-ip", "1", "conn-rate", "3");
	assert_int_equal(ask(&d, "10.0.0.1", 0), ACCESS_YES);
	assert_int_equal(ask(&d, "10.0.0.3", 0), ACCESS_YES);
	assert_int_equal(ask(&d, "10.0.0.1", 0), ACCESS_FULL);
	assert_int_equal(access_lacks(d.admit, &one, 0), ACCESS_PER_IP);
	for (int i = 0; i < 5; i++) /* it takes nothing */
		assert_int_equal(access_lacks(d.admit, &other, 0), ACCESS_YES);
	assert_int_equal(access_lacks(d.admit, &local, 0), ACCESS_YES);
	leave(&d, "10.0.0.3");
	assert_int_equal(ask(&d, "10.0.0.4", 0), ACCESS_YES);
	assert_int_equal(access_lacks(d.admit, &other, 0), ACCESS_RATE);
	assert_int_equal(access_lacks(d.admit, &other, 2000), ACCESS_YES);
	operator_io_close(&d);
}

static void one_address(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "10.0.0.1", "10.0.0.1", true },
		{ "10.0.0.1", "10.0.0.2", false },
		{ "10.0.0.1", "::ffff:10.0.0.1", true },
		{ "2001:db8:1:2::1", "2001:db8:1:2:3::9", true },
		{ "2001:db8:1:2::1", "2001:db8:1:3::1", false },
		{ "unix", "unix", false },
		{ "unix", "10.0.0.1", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sa a = at(rows[i].a), b = at(rows[i].b);
		if (access_same(&a, &b) != rows[i].same || access_same(&b, &a) != rows[i].same)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
	}
}

static void without_memory(void **state)
{
	(void)state;
	struct operator_io d;
	struct err e;
	OPEN(&d, "max-per-ip", "2");
	sys_gate = no_memory;
	enum access_answer v = ask(&d, "10.0.0.1", 0);
	struct access *none = access_open(&d.run, 0, &e);
	sys_gate = NULL;
	assert_int_equal(v, ACCESS_PER_IP); /* a peer that cannot be counted is refused */
	assert_null(none);
	assert_int_equal(e.cls, ERR_LOCAL);
	assert_int_equal(ask(&d, "10.0.0.1", 0), ACCESS_YES);
	operator_io_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_decide),
		cmocka_unit_test(deny_wins),
		cmocka_unit_test(bad_entries_are_named),
		cmocka_unit_test(lists_in_files),
		cmocka_unit_test(so_many_and_no_more),
		cmocka_unit_test(per_address),
		cmocka_unit_test(the_rate_is_a_bucket),
		cmocka_unit_test(what_one_lacks),
		cmocka_unit_test(one_address),
		cmocka_unit_test(without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
