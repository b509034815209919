/* The rules of socket files: the dead are replaced, the living and all other files left alone, our own removed. */
#include "listening.h"

static void files_come_and_go(void **state)
{
	(void)state;
	MUST(listen_at(word_of("unix")));
	assert_int_equal(connect_path(p.path, SOCK_STREAM), 0);
	assert_int_equal(p.l.port, 0);
	assert_int_equal(p.l.v[0].local.family, AF_UNIX);
	listeners_close(&p.l);
	assert_false(exists());
	MUST(listen_at(word_of("unix-dgram")));
	assert_true(p.l.v[0].dgram);
	assert_int_equal(connect_path(p.path, SOCK_DGRAM), 0);
	listeners_close(&p.l);
	assert_false(exists());
}

static void leave_dead(int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);
	snprintf(un.sun_path, sizeof un.sun_path, "%s", p.path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	close(fd);
}

static void the_dead_are_replaced(void **state)
{
	(void)state;
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	static const char *const schemes[] = { "unix", "unix-dgram" };
	for (int i = 0; i < 4; i++) {
		leave_dead(types[i % 2]);
		MUST(listen_at(word_of(schemes[i / 2])));
		listeners_close(&p.l);
		assert_false(exists());
	}
}

static void the_living_are_not_disturbed(void **state)
{
	(void)state;
	static const char *const schemes[] = { "unix", "unix-dgram" };
	for (int i = 0; i < 4; i++) {
		MUST(listen_at(word_of(schemes[i % 2])));
		struct listeners first = p.l;
		assert_int_equal(listen_at(word_of(schemes[i / 2])), -1);
		assert_int_equal(p.e.cls, ERR_LISTEN);
		assert_int_equal(p.e.sys, EADDRINUSE);
		assert_true(exists());
		struct pollfd heard = { .fd = first.v[0].fd, .events = POLLIN };
		assert_int_equal(poll(&heard, 1, 0), 0);
		listeners_close(&first);
	}
}

static void other_files_are_left_alone(void **state)
{
	(void)state;
	FILE *f = fopen(p.path, "w");
	assert_non_null(f);
	fputs("precious", f);
	fclose(f);
	assert_int_equal(listen_at(word_of("unix")), -1);
	assert_int_equal(p.e.cls, ERR_LISTEN);
	assert_non_null(strstr(p.e.what, "not a socket"));
	assert_true(exists());
	unlink(p.path);
	assert_int_equal(symlink("/nowhere", p.path), 0);
	assert_int_equal(listen_at(word_of("unix")), -1);
	assert_true(exists());
	unlink(p.path);
	assert_int_equal(listen_at("unix:/nonexistent/folder/s"), -1);
	assert_int_equal(p.e.cls, ERR_LISTEN);
}

static void only_our_own_file_is_removed(void **state)
{
	(void)state;
	MUST(listen_at(word_of("unix")));
	unlink(p.path);
	leave_dead(SOCK_STREAM); /* another server's by now */
	listeners_close(&p.l);
	assert_true(exists());
}

static void modes_hold(void **state)
{
	(void)state;
	struct stat st;
	static const char *const bad[] = { "", "6", "8", "1000", "0688", "-600", "0x600", "00600" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(set(&listener_opts, "unix-mode", bad[i]), -1);
	mode_t old = umask(022);
	MUST(set(&listener_opts, "unix-mode", "0666"));
	MUST(listen_at(word_of("unix")));
	assert_int_equal(stat(p.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	assert_int_equal(umask(old), 022);
	listeners_close(&p.l);
	MUST(set(&listener_opts, "unix-mode", "600"));
	MUST(listen_at(word_of("unix")));
	assert_int_equal(stat(p.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static int no_listen(enum sys_call call, int fd, size_t *most_bytes)
{
	(void)fd;
	(void)most_bytes;
	return call == SYS_LISTEN ? ENOBUFS : 0;
}

static void failure_leaves_nothing(void **state)
{
	(void)state;
	int before = dup(0);
	close(before);
	sys_gate = no_listen;
	assert_int_equal(listen_at(word_of("unix")), -1);
	assert_false(exists());
	assert_int_equal(listen_at("127.0.0.1:0"), -1);
	int after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

static void abstract_names(void **state)
{
	(void)state;
#ifdef __linux__
	char word[64];
	snprintf(word, sizeof word, "unix:@%s", p.folder);
	MUST(listen_at(word));
	struct listeners first = p.l;
	assert_int_equal(listen_at(word), -1);
	assert_int_equal(p.e.sys, EADDRINUSE);
	listeners_close(&first);
	MUST(listen_at(word));
#else
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_come_and_go),
		TEST(the_dead_are_replaced),
		TEST(the_living_are_not_disturbed),
		TEST(other_files_are_left_alone),
		TEST(only_our_own_file_is_removed),
		TEST(modes_hold),
		TEST(failure_leaves_nothing),
		TEST(abstract_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
