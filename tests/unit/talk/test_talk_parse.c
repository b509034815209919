/* The script parser: what is refused, where and in which words; what is understood; that nothing is left when memory is short. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "script/talk_script.h"
#include "tests/unit/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[64];
static struct guard guard;

static struct talk_script *read_one(const char *text, const char *frame, bool swap, struct err *e)
{
	struct talk_options options = { .framer = framer_line, .swap = swap, .tls = false };
	const char *texts[] = { guard_text(&guard, text) };
	*e = (struct err){ 0 };
	if (frame != NULL)
		assert_int_equal(framer_parse(&options.framer, frame, e), 0);
	return talk_parse(texts, 1, &options, e);
}

struct row {
	const char *text, *words; /* NULL: nothing is wrong */
};

static void judge(const struct row *rows, size_t n, const char *frame, bool swap)
{
	struct err e;
	for (size_t i = 0; i < n; i++) {
		struct talk_script *s = read_one(rows[i].text, frame, swap, &e);
		const char *got = s != NULL ? NULL : e.what;
		talk_free(s);
		if (rows[i].words == NULL && got != NULL)
			fail_msg("%s\nwas refused: %s", rows[i].text, got);
		if (rows[i].words != NULL && (got == NULL || strcmp(got, rows[i].words) != 0))
			fail_msg("%s\ngot  %s\nwant %s", rows[i].text, got, rows[i].words);
		if (rows[i].words != NULL)
			assert_int_equal(e.cls, ERR_USAGE);
	}
}
#define JUDGE(rows, frame, swap) judge((rows), sizeof(rows) / sizeof((rows)[0]), (frame), (swap))

static void what_is_written_well_is_understood(void **state)
{
	static const struct row rows[] = {
		{ "close", NULL },
		{ "on\"a\"send\"b\"close#done", NULL },
		{ "  on  ! ^ i \"a\" x\"62 63\"  x 3  send 3 * \"ab\" \"c\" ", NULL },
		{ "on any x2 log \"$0 \\$1\"\non ~\"(a)(b)\" send \"$2$1\" expect *\"x\" send \"$0\"", NULL },
		{ "on 3 bytes close\nmust 1 byte close\non eof close\non idle 250ms send \"tick\"\nelse ignore", NULL },
		{ "conn 1 rst\nconn 2-4\n\tsend \"x\" shut hang\nconn 5-\nwait 0\nconn *\nclose", NULL },
		{ "conn 1 send \"a\"\nconn 2 send \"b\"\nconn 1 send \"c\"", NULL },
		{ "frame u16be,max=64k,incl\ntimeout 1.5s\nexpect ~\"^a+$\" within 2s skip !\"x\" sendraw \"\\x00\\0\\n\\r\\t\\\\\\\"\"",
			NULL },
		{ "send \\\n \"a\" \\\r\n \"b\" # \\\nclose", NULL },
		{ "# nothing\n\n \t\r\nclose\r\n", NULL },
		{ "expect \"$1\" send \"a$\" log \"$\"", NULL },
		{ "frame raw\non \"ho\" close\non \"hi\" close\non \"ho\" rst\non 3 bytes hang\non eof rst\nelse ignore\nexpect *\"a\"",
			NULL },
		{ "frame raw\nconn 1\nframe line\non any close\nconn 2 on \"a\" close", NULL },
		{ "send @\"/dev/null\" x\"\" \"\"", NULL },
		{ "fault rate=64k:in,conn=1-3 fault rst-after=2 send \"a\"", NULL },
	};
	(void)state;
	JUDGE(rows, NULL, false);
}

static void what_is_not_is_refused_with_its_place(void **state)
{
	static const struct row rows[] = {
		{ "", "--talk: the script has no step and no rule" },
		{ "frame raw # only", "--talk: the script has no step and no rule" },
		{ "onward", "--talk:1:1: expected \"conn\", a setting, a rule or a step, got \"onward\"" },
		{ "on send", "--talk:1:4: expected a pattern after \"on\", got \"send\"" },
		{ "on", "--talk:1:3: expected a pattern after \"on\", got the end of the line" },
		{ "\n\n  must # it", "--talk:3:8: expected a pattern after \"must\", got the end of the line" },
		{ "on ^ close", "--talk:1:6: expected data of a pattern after \"on\", got \"close\"" },
		{ "on ! eof close", "--talk:1:6: expected a pattern after \"on\", got \"eof\"" },
		{ "on \"a\"", "--talk:1:7: expected a step after the trigger, got the end of the line" },
		{ "else", "--talk:1:5: expected a step after \"else\", got the end of the line" },
		{ "on \"a\" \\\nsned \"b\"", "--talk:2:1: expected a step after the trigger, got \"sned\"" },
		{ "send \"a\" on \"b\" close",
			"--talk:1:10: expected a step (a line of its own begins with this word) after \"send\", got \"on\"" },
		{ "close frame raw",
			"--talk:1:7: expected a step (a line of its own begins with this word) after \"close\", got \"frame\"" },
		{ "send",
			"--talk:1:5: expected data (\"text\", x\"6869\" or @\"file\") after \"send\", got the end of the line" },
		{ "send a", "--talk:1:6: expected data (\"text\", x\"6869\" or @\"file\") after \"send\", got \"a\"" },
		{ "send \"a", "--talk:1:6: a string without its closing quote" },
		{ "send \"a\\", "--talk:1:6: a string without its closing quote" },
		{ "send \"a\\\"", "--talk:1:6: a string without its closing quote" },
		{ "send \"a\n\"", "--talk:1:6: a string without its closing quote" },
		{ "send \"añ\\q\"", "--talk:1:9: unknown escape \"\\q\", expected \\n \\r \\t \\0 \\\\ \\\" \\$ or \\xHH" },
		{ "send \"\\x4\"", "--talk:1:7: unknown escape \"\\x\", expected \\n \\r \\t \\0 \\\\ \\\" \\$ or \\xHH" },
		{ "send x\"0g\"", "--talk:1:9: expected hexadecimal digits after \"x\", got \"g\"" },
		{ "send x\"012\"", "--talk:1:6: 3 hexadecimal digits make no whole bytes" },
		{ "send x\"01", "--talk:1:6: bytes without their closing quote" },
		{ "send @\"/no/such\"", "--talk:1:6: /no/such: No such file or directory" },
		{ "send @\"/\"", "--talk:1:6: /: read: Is a directory" },
		{ "send @\"a\\0b\"", "--talk:1:6: a path with a NUL byte" },
		{ "send 0*\"a\"", "--talk:1:6: expected a number from 1 to 1000000000, got \"0*\"" },
		{ "send 1000000001*\"a\"", "--talk:1:6: expected a number from 1 to 1000000000, got \"1000000001*\"" },
		{ "send 2*3*\"a\"", "--talk:1:8: expected data after \"*\", got \"3*\"" },
		{ "send 2 * close", "--talk:1:10: expected data after \"*\", got \"close\"" },
		{ "expect 5 apples", "--talk:1:10: expected \"bytes\" after a number, got \"apples\"" },
		{ "expect \"a\" within soon", "--talk:1:19: got \"soon\", expected a duration such as 250ms, 2s, 5m, 1h" },
		{ "wait 5", "--talk:1:6: got \"5\", expected a duration with its unit, such as 250ms, 2s, 5m, 1h" },
		{ "wait", "--talk:1:5: expected a duration such as 250ms, 2s, 5m, 1h, got the end of the line" },
		{ "on idle 0 close", "--talk:1:9: an idle time of nothing would never let anything come" },
		{ "on \"a\" x0 close", "--talk:1:9: expected a number from 1 to 1000000000, got \"0\"" },
		{ "on \"a\" x close", "--talk:1:10: expected a number from 1 to 1000000000, got \"close\"" },
		{ "conn close", "--talk:1:6: expected a number from 1 to 1000000000, got \"close\"" },
		{ "conn 1close", "--talk:1:7: expected a blank after a number, got \"close\"" },
		{ "conn 3-2 close", "--talk:1:6: the range ends before it begins" },
		{ "conn 1-3 close\n\nconn 2 rst", "--talk:3:6: connection 2 has a section in line 1 already" },
		{ "conn 7 close\nconn 2- rst", "--talk:2:6: connection 7 has a section in line 1 already" },
		{ "frame", "--talk:1:6: expected a framing after \"frame\", got the end of the line" },
		{ "frame lines\nclose",
			"--talk:1:7: expected raw, line, crlf, nul, netstring, fixed=N, u8, u16be, u16le, u32be or "
			"u32le, got \"lines\"" },
		{ "frame raw close", "--talk:1:11: expected the end of the line after \"frame\", got \"close\"" },
		{ "frame raw\nframe line\nclose", "--talk:2:7: frame is set in line 1 already" },
		{ "timeout 1s\nconn *\ntimeout 2s", "--talk:3:9: timeout is set in line 1 already" },
		{ "close close", "--talk:1:7: nothing can follow the \"close\" in line 1" },
		{ "hang\nsend \"x\"", "--talk:2:1: nothing can follow the \"hang\" in line 1" },
		{ "on any fail \"a\" log \"b\"", "--talk:1:17: nothing can follow the \"fail\" in line 1" },
		{ "shut expect \"a\" sendraw \"b\"", "--talk:1:17: nothing can be sent after the \"shut\" in line 1" },
		{ "on eof expect \"a\"", "--talk:1:8: nothing can come after the end of the data" },
		{ "else close\nelse rst", "--talk:2:1: there is an \"else\" in line 1 already" },
		{ "send \"$0\"", "--talk:1:1: $0: nothing has been matched before this" },
		{ "on eof log \"$0\"", "--talk:1:8: $0: nothing has been matched before this" },
		{ "on any send \"$1\"", "--talk:1:8: $1: the pattern before this has 0 pairs of parentheses" },
		{ "on ~\"(a)\" send \"$1$2\"", "--talk:1:11: $2: the pattern before this has 1 pairs of parentheses" },
		{ "on ~\"(a)\" expect \"b\" send \"$1\"", "--talk:1:22: $1: the pattern before this has 0 pairs of parentheses" },
		{ "on !~\"(a)\" send \"$1\"", "--talk:1:12: $1: the pattern before this has 0 pairs of parentheses" },
		{ "fault", "--talk:1:6: expected a fault after \"fault\", got the end of the line" },
		{ "fault accept-rst",
			"--talk:1:1: a connection of this kind has no fault \"accept-rst\"; possible are latency, rate, chunk, gap, "
			"stall-after, sink-after, close-after, half-after, rst-after, slow-close, corrupt, corrupt-at, rcvbuf" },
		{ "frame u8\nsend 300*\"x\"", "--talk:2:1: 300 bytes cannot be a frame here" },
		{ "frame u32be,max=4\nsend \"hola!\"", "--talk:2:1: 5 bytes are over the frame's max 4 (sendraw has no limit)" },
		{ "frame fixed=4\nsend \"abc\"", "--talk:2:1: 3 bytes cannot be a frame here" },
		{ "expect 100000*1000*\"a\"", "--talk:1:15: expected data after \"*\", got \"1000*\"" },
		{ "expect 100000000*\"a\"", "--talk:1:8: what is expected is over 64 MiB" },
		{ "starttls", "--talk:1:1: this sockctl has no TLS" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].words != NULL)
			judge(&rows[i], 1, NULL, false);
	struct err e;
	assert_null(read_one("expect ~\"a(\"", NULL, false, &e)); /* the library's words */
	assert_memory_equal(e.what, "--talk:1:8: regular expression: ", 32);
	assert_null(read_one("expect ~x\"6100\"", NULL, false, &e));
	assert_string_equal(e.what, "--talk:1:8: a regular expression cannot hold a NUL byte");
}

static void in_raw_frames_nothing_is_left_to_chance(void **state)
{
	static const struct row rows[] = {
		{ "on \"hola\" close\non \"ho\" close",
			"--talk:2:1: \"ho\" is how \"hola\" begins (lines 2 and 1): in raw frames the two cannot be told apart" },
		{ "on ^\"ho\" close\nmust \"hola\" close",
			"--talk:2:1: ^\"ho\" is how \"hola\" begins (lines 2 and 1): in raw frames the two cannot be told apart" },
		{ "on i\"HO\" close\non \"hola\" close",
			"--talk:2:1: i\"HO\" is how \"hola\" begins (lines 2 and 1): in raw frames the two cannot be told apart" },
		{ "on \"HO\" close\non \"hola\" close\non x\"686f 6c61\" close", NULL },
		{ "on \"a\" close\nconn 2 on \"ab\" close", NULL },
		{ "on any close",
			"--talk:1:1: in raw frames what a rule waits for can be a literal, N bytes, eof or idle, got any" },
		{ "on *\"a\" close",
			"--talk:1:1: in raw frames what a rule waits for can be a literal, N bytes, eof or idle, got *\"a\"" },
		{ "must ~\"a\" close",
			"--talk:1:1: in raw frames what a rule waits for can be a literal, N bytes, eof or idle, got ~\"a\"" },
		{ "on !\"a\" close",
			"--talk:1:1: in raw frames what a rule waits for can be a literal, N bytes, eof or idle, got !\"a\"" },
		{ "expect any", "--talk:1:1: in raw frames what is expected can be a literal, *\"literal\", N bytes, got any" },
		{ "skip ~\"a\"",
			"--talk:1:1: in raw frames what is expected can be a literal, *\"literal\", N bytes, got ~\"a\"" },
		{ "expect !*\"a\"",
			"--talk:1:1: in raw frames what is expected can be a literal, *\"literal\", N bytes, got !*\"a\"" },
		{ "expect \"\"", "--talk:1:1: in raw frames \"\" is there before anything has come" },
		{ "on x\"\" close", "--talk:1:1: in raw frames \"\" is there before anything has come" },
		{ "on 100000000 bytes close", "--talk:1:1: more than 64 MiB would have to be kept" },
		{ "skip i\"a\" expect ^\"a\" expect *i\"b\" expect 3 bytes skip \"x\"", NULL },
	};
	(void)state;
	JUDGE(rows, "raw", false);
}

static void swapping_is_for_what_has_an_order(void **state)
{
	static const struct row line[] = {
		{ "expect \"a\" within 1s send \"b\" wait 1s log \"c\" close", NULL },
		{ "send \"a\"\non \"b\" close", "--talk:2:1: --swap: a rule has no order that the other side could follow" },
		{ "expect any", "--talk:1:1: --swap: a pattern cannot be sent, only a plain literal" },
		{ "expect ^\"a\"", "--talk:1:1: --swap: a pattern cannot be sent, only a plain literal" },
		{ "expect i\"a\"", "--talk:1:1: --swap: a pattern cannot be sent, only a plain literal" },
		{ "expect !\"a\"", "--talk:1:1: --swap: a pattern cannot be sent, only a plain literal" },
		{ "skip \"a\"", "--talk:1:1: --swap: what \"skip\" leaves out is not known" },
		{ "sendraw \"a\"", "--talk:1:1: --swap: a \"sendraw\" can be expected in raw frames only" },
		{ "expect \"a\" send \"$0\"", "--talk:1:12: --swap: what $0 stands for is known only when it has come" },
		{ "frame raw\nconn 1 expect ^\"a\" sendraw \"b\"", NULL },
	};
	static const struct row raw[] = {
		{ "expect ^\"a\" sendraw \"b\"", NULL },
		{ "frame line\nexpect ^\"a\"", "--talk:2:1: --swap: a pattern cannot be sent, only a plain literal" },
	};
	struct err e;
	(void)state;
	JUDGE(line, NULL, true);
	JUDGE(raw, "raw", true);
	struct talk_script *s = read_one("expect 2*\"ab\" send 3*\"c\"", NULL, true, &e);
	assert_non_null(s);
	const struct talk_step *step = talk_section(s, 1)->steps;
	char out[8] = "";
	assert_int_equal(step->verb, TALK_SEND);
	assert_int_equal(talk_data_copy(&step->data, NULL, 0, out, sizeof out), 4);
	assert_string_equal(out, "abab");
	step = step->next;
	assert_int_equal(step->verb, TALK_EXPECT);
	assert_int_equal(step->pattern->text.n, 3);
	assert_memory_equal(step->pattern->text.p, "ccc", 3);
	talk_free(s);
}

static void numbered_sections_win_and_inherit(void **state)
{
	struct err e;
	(void)state;
	struct talk_script *s =
		read_one("frame u8\nconn 2-3\nsend \"b\"\ntimeout 1s\nconn 5-\nframe nul\nrst\nconn *\nclose\ntimeout 2s", NULL,
			false, &e);
	static const struct {
		uint32_t conn;
		enum talk_verb verb;
		enum frame_kind kind;
		int64_t ms;
	} rows[] = {
		{ 1, TALK_CLOSE, FRAME_U8, 2000 },
		{ 2, TALK_SEND, FRAME_U8, 1000 },
		{ 3, TALK_SEND, FRAME_U8, 1000 },
		{ 4, TALK_CLOSE, FRAME_U8, 2000 },
		{ 5, TALK_RST, FRAME_NUL, 2000 },
		{ UINT32_MAX, TALK_RST, FRAME_NUL, 2000 },
	};
	assert_non_null(s);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct talk_section *section = talk_section(s, rows[i].conn);
		assert_int_equal(section->steps->verb, rows[i].verb);
		assert_int_equal(section->framer.kind, rows[i].kind);
		assert_int_equal(section->timeout_ms, rows[i].ms);
	}
	talk_free(s);
}

static void put(const char *name, const char *text, size_t n, char path[96])
{
	snprintf(path, 96, "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
}

static void files_and_lines_are_one_script(void **state)
{
	char path[96], at[100], data[96], want[200], line[120];
	struct talk_options options = { .framer = framer_line };
	struct err e = { 0 };
	(void)state;
	put("s.talk", "conn 2\nsend \"a\"", 15, path);
	put("d", "\0\"$0\n", 5, data);
	snprintf(at, sizeof at, "@%s", path);
	snprintf(line, sizeof line, "send @\"%s\"", data);
	const char *texts[] = { "log \"1\"\nlog \"2\"", at, line, "expect", "close" };
	assert_null(talk_parse(texts, 5, &options, &e));
	assert_string_equal(e.what, "--talk:4:7: expected a pattern after \"expect\", got the end of the line");
	struct talk_script *s = talk_parse(texts, 3, &options, &e);
	assert_non_null(s);
	const struct talk_step *step = talk_section(s, 2)->steps->next;
	assert_string_equal(step->place.name, "--talk");
	assert_int_equal(step->place.line, 3);
	assert_int_equal(talk_data_copy(&step->data, NULL, 0, want, sizeof want), 5);
	assert_memory_equal(want, "\0\"$0\n", 5);
	assert_string_equal(talk_section(s, 2)->steps->place.name, path);
	talk_free(s);
	put("s.talk", "close\n\x80\xff on", 12, path);
	assert_null(talk_parse(texts + 1, 1, &options, &e));
	snprintf(want, sizeof want, "%s:2:1: expected \"conn\", a setting, a rule or a step, got \"\\x80\\xff\"", path);
	assert_string_equal(e.what, want);
	texts[0] = "@/no/such";
	assert_null(talk_parse(texts, 1, &options, &e));
	assert_string_equal(e.what, "--talk: /no/such: No such file or directory");
}

static unsigned allowed;

static int short_of_memory(enum sys_call call, int fd, size_t *most)
{
	(void)fd;
	(void)most;
	return call != SYS_MEMORY || allowed-- > 0 ? 0 : ENOMEM;
}

static void memory_may_be_short_at_any_moment(void **state)
{
	static const char text[] =
		"frame raw\nconn 1 expect 2*\"a\" x\"00\" send \"$0\" @\"/dev/null\" shut\non \"a\" x2 close\n";
	struct err e;
	struct talk_script *s = NULL;
	(void)state;
	sys_gate = short_of_memory;
	unsigned n = 0;
	for (; s == NULL && n < 1000; n++) {
		allowed = n;
		s = read_one(text, NULL, false, &e);
		if (s == NULL)
			assert_int_equal(e.cls, ERR_LOCAL);
	}
	sys_gate = NULL;
	assert_in_range(n, 10, 999);
	talk_free(s);
}

static void data_is_copied_from_any_byte(void **state)
{
	static const char all[] = "abXYabXYabXYcd\x65";
	struct talk_bytes group[TALK_GROUPS] = { [1] = { (const unsigned char *)"XY", 2 } };
	struct err e;
	char out[32];
	(void)state;
	struct talk_script *s = read_one("expect ~\"(a)\" send 3*\"ab$1\" 1000*\"\" \"cd\" x\"65\"", NULL, false, &e);
	assert_non_null(s);
	const struct talk_data *d = &talk_section(s, 1)->steps->next->data;
	assert_int_equal(talk_data_size(d, group), strlen(all));
	for (size_t at = 0; at <= strlen(all); at++)
		for (size_t cap = 0; cap <= strlen(all) + 1; cap++) {
			size_t left = strlen(all) - at, n = talk_data_copy(d, group, at, out, cap);
			assert_int_equal(n, left < cap ? left : cap);
			assert_memory_equal(out, all + at, n);
		}
	talk_free(s);
	s = read_one("send 1000000000*\"0123456789\" x\"00\"", "raw", false, &e);
	assert_non_null(s);
	d = &talk_section(s, 1)->steps->data;
	assert_true(talk_data_size(d, NULL) == 10000000001u);
	assert_int_equal(talk_data_copy(d, NULL, 9999999998u, out, 8), 3);
	assert_memory_equal(out, "89\0", 3);
	group[0] = (struct talk_bytes){ (const unsigned char *)"", SIZE_MAX / 2 };
	talk_free(s);
	s = read_one("expect any send 3*\"$0\"", NULL, false, &e);
	assert_true(talk_data_size(&talk_section(s, 1)->steps->next->data, group) == UINT64_MAX);
	talk_free(s);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/talk.XXXXXX");
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[96];
	(void)state;
	guard_free(&guard);
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_well_is_understood),
		cmocka_unit_test(what_is_not_is_refused_with_its_place),
		cmocka_unit_test(in_raw_frames_nothing_is_left_to_chance),
		cmocka_unit_test(swapping_is_for_what_has_an_order),
		cmocka_unit_test(numbered_sections_win_and_inherit),
		cmocka_unit_test(files_and_lines_are_one_script),
		cmocka_unit_test(memory_may_be_short_at_any_moment),
		cmocka_unit_test(data_is_copied_from_any_byte),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
