/* Conversations: what the peer says, and all that follows from the script; each also cut into single bytes, pairs and so on, with
 * the same outcome word for word. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sys.h"
#include "tests/unit/talk_play.h"

#include <string.h>

#define END PEER_END

struct row {
	const char *script, *in, *trace;
};

static struct talk_script *parse_for(const char *text, bool dgram)
{
	const struct talk_options options = { .framer = framer_line, .dgram = dgram, .tls = true };
	struct err e = { 0 };
	const char *texts[] = { text };
	struct talk_script *s = talk_parse(texts, 1, &options, &e);
	if (s == NULL)
		fail_msg("%s\n%s", text, e.what);
	return s;
}

static struct talk_script *parse(const char *text)
{
	return parse_for(text, false);
}

static void judge(const struct row *rows, size_t n, bool dgram)
{
	static const size_t cuts[] = { 0, 1, 2, 3, 7 };
	static struct play p;
	for (size_t i = 0; i < n; i++) {
		struct talk_script *s = parse_for(rows[i].script, dgram);
		for (size_t c = 0; c < (dgram ? 1 : sizeof cuts / sizeof cuts[0]); c++) {
			p = (struct play){ .script = s, .dgram = dgram, .cut = cuts[c] };
			play(&p, rows[i].in, strlen(rows[i].in));
			if (strcmp(p.trace, rows[i].trace) != 0)
				fail_msg("%s\ncut by %zu\ngot  %s\nwant %s", rows[i].script, cuts[c], p.trace, rows[i].trace);
		}
		talk_free(s);
	}
}
#define JUDGE(rows, dgram) judge((rows), sizeof(rows) / sizeof((rows)[0]), (dgram))

#define TWO "on \"hola\" send \"pues hola\"\non \"adios\" send \"pues adios\" close"

static void rules_answer(void **state)
{
	static const struct row rows[] = {
		{ TWO, "hola\nadios\n", "pues hola\npues adios\n[close]" },
		{ TWO, "hola\r\nadios\r\n", "pues hola\r\npues adios\r\n[close]" },
		{ TWO, "hola\r\nadios" END,
			"pues hola\r\npues adios\r\n[close]" }, /* no last newline: the ending it used before */
		{ TWO, "adios" END, "pues adios\n[close]" },
		{ TWO, "hola\n" END, "pues hola\n[close]" },
		{ TWO, END, "[close]" },
		{ TWO, "", "[stuck]" },
		{ TWO, "hola \n", "[fail --talk:1: no rule for \"hola \" @0]" },
		{ TWO, "hola\nque\n", "pues hola\n[fail --talk:1: no rule for \"que\" @5]" },
		{ TWO "\nelse send \"what is $0?\"", "que\nadios\n", "what is que?\npues adios\n[close]" },
		{ TWO, "adios\nmore\n", "pues adios\n[close]" },
		{ "on \"a\" x2 send \"1\"\non \"a\" x1 send \"2\"", "a\na\na\na\n", "1\n1\n2\n[close]" },
		{ "on \"a\" x1 send \"1\"\nelse send \"2\"", "a\na\n" END, "1\n2\n[close]" },
		{ "on ^\"a\" send \"1\"\non any send \"2\"", "ab\nb\nab\n" END, "1\n2\n1\n[close]" },
		{ "must \"a\" send \"1\"", "a\n" END, "1\n[close]" },
		{ "must \"a\" send \"1\"\non any send \"2\"", "b\n" END, "2\n[fail --talk:1: must \"a\": it never came @2]" },
		{ "must \"a\" send \"1\"", "", "[stuck][fail --talk:1: must \"a\": it never came @0]" },
		{ "must \"a\" send \"1\"\non \"b\" close", "b\n", "[fail --talk:1: must \"a\": it never came @2]" },
		{ "must eof send \"bye\"", END, "bye\n[close]" },
		{ "on eof send \"1\"\non eof send \"2\"", END, "1\n[close]" },
		{ "must eof x1 close\non any close", "x\n", "[fail --talk:1: must eof x1: it never came @2]" },
		{ "on any log \"$0\"", "a\n\nb" END, "[log a][log ][log b][close]" },
		{ "on ~\"^SET (.*) (.*)$\" send \"$1=$2 \\$3 3*$\" send 3*\"$1\"", "SET k val\n" END,
			"k=val $3 3*$\nkkk\n[close]" },
		{ "send \"hi\"\non any send \"$0\"\nsend \"there\"", "x\n" END, "hi\nthere\nx\n[close]" },
		{ "on any hang", "x\ny\n", "[hang]" },
		{ "on any ignore", "x\ny\n", "[stuck]" },
		{ "on any ignore", "x\ny\n" END, "[close]" },
		{ "must \"y\" close\non any ignore", "x\ny\n" END, "[fail --talk:1: must \"y\": it never came @4]" },
		{ "on any rst", "x\n", "[rst]" },
		{ "on any fail \"not $0!\"", "x\n", "[fail --talk:1: not x! @2]" },
		{ "on any shut\non eof send \"late\"", "x\n" END,
			"[shut][fail --talk:2: nothing can be sent after \"shut\" @2]" },
		{ "on \"a\" expect \"b\" send \"c\"", "a\nb\n" END, "c\n[close]" },
		{ "on \"a\" expect \"b\" send \"c\"", "a\n" END, "[fail --talk:1: expected \"b\", got the end of the data @2]" },
		{ "on ~\"(a)\" fault rate=1k:in starttls log \"$1\"", "a\n" END, "[fault rate][starttls][log a][close]" },
		{ "on \"a\" starttls\non \"more\" send \"b\" close", "a\nmore\n",
			"[starttls]b\n[close]" }, /* what came ahead is TLS's, however it was cut */
		{ "on \"a\" starttls", "a\na\n", "[starttls][fail --talk:1: starttls: there is TLS already @4]" },
	};
	(void)state;
	JUDGE(rows, false);
}

static void steps_go_one_after_the_other(void **state)
{
	static const struct row rows[] = {
		{ "send \"hi\" expect \"a\" send \"b\"", "a\n", "hi\nb\n[close]" },
		{ "expect \"a\"\nexpect ~\"(.)c\" send \"$1$0\"", "a\nbc" END, "bbc\n[close]" },
		{ "expect \"hola\"", "holo\n", "[fail --talk:1: expected \"hola\", got \"holo\" (from byte 3 on) @3]" },
		{ "expect \"a\" expect \"hola\"", "a\nx\n", "[fail --talk:1: expected \"hola\", got \"x\" @2]" },
		{ "expect ^i\"HO\" expect !\"x\" expect *\"b\" expect 3 bytes", "hola\ny\nabc\nabc\n", "[close]" },
		{ "expect 3 bytes", "ab\n", "[fail --talk:1: expected 3 bytes, got \"ab\" @0]" },
		{ "skip \"b\" send \"$0\"", "a\n\nb\n", "b\n[close]" },
		{ "skip \"b\"", "a\n" END, "[fail --talk:1: expected \"b\", got the end of the data @2]" },
		{ "skip \"b\"", "a\nc\n", "[5000ms][fail --talk:1: expected \"b\" within 5s, got nothing @4]" },
		{ "timeout 1s\nexpect \"b\"", "b", "[1000ms][fail --talk:2: expected \"b\" within 1s, got \"b\" @0]" },
		{ "expect \"b\" within 50ms", LATER "b\n", "[50ms][fail --talk:1: expected \"b\" within 50ms, got nothing @0]" },
		{ "expect \"b\" within 100ms", LATER "b\n", "[100ms][close]" },
		{ "expect \"b\" within 0s", "b\n", "[close]" },
		{ "wait 150ms expect \"a\" within 1ms", LATER "a\n", "[150ms][close]" },
		{ "expect \"a\"", "a", "[5000ms][fail --talk:1: expected \"a\" within 5s, got \"a\" @0]" },
		{ "wait 1s send \"a\" wait 1s", "", "[1000ms]a\n[2000ms][close]" },
		{ "shut expect \"a\"", "a" END, "[shut][close]" },
		{ "ignore", "abc", "[stuck]" },
		{ "hang", "", "[hang]" },
		{ "sendraw \"a\" x\"00\" send \"\"", "", "" /* below */ },
	};
	static struct play p;
	(void)state;
	judge(rows, sizeof rows / sizeof rows[0] - 1, false);
	p.script = parse(rows[sizeof rows / sizeof rows[0] - 1].script);
	play(&p, "", 0);
	assert_int_equal(p.used, 10);
	assert_memory_equal(p.trace, "a\0\n[close]", 10);
	talk_free((struct talk_script *)(uintptr_t)p.script);
}

static void silence_is_told(void **state)
{
	static const struct row rows[] = {
		{ "on idle 250ms x2 send \"tick\"\non any send \"$0\"", "a\n" LATER "b" LATER "\n",
			"a\n[200ms]b\n[450ms]tick\n[700ms]tick\n[stuck]" },
		{ "on idle 1s close\non \"a\" wait 2s log \"a\"", "a\n", "[2000ms][log a][3000ms][close]" },
		{ "on idle 50ms x1 send \"1\"\non idle 150ms x1 send \"2\"\non any close", LATER LATER LATER "x\n",
			"[50ms]1\n[200ms]2\n[300ms][close]" },
		{ "must idle 50ms close", LATER END, "[50ms][close]" },
		{ "must idle 150ms close", LATER END, "[100ms][fail --talk:1: must idle 150ms: it never came @0]" },
	};
	(void)state;
	JUDGE(rows, false);
}

#define RAW "frame raw\non \"hola\" send \"pues hola\"\non \"adios\" send \"pues adios\" close"

static void raw_bytes_are_taken_as_they_come(void **state)
{
	static const struct row rows[] = {
		{ RAW, "holaadios", "pues holapues adios[close]" },
		{ RAW, "ho" LATER "laadi" LATER "os", "[100ms]pues hola[200ms]pues adios[close]" },
		{ RAW, "holaadi" END, "pues hola[fail --talk:2: no rule for \"adi\" @4]" },
		{ RAW, "holahox", "pues hola[fail --talk:2: no rule for \"hox\" @4]" },
		{ RAW, "x", "[fail --talk:2: no rule for \"x\" @0]" },
		{ RAW "\nelse log \"$0\"", "hoadios", "[log h][log o]pues adios[close]" },
		{ RAW "\nelse log \"$0\"", "ho" END, "[log h][log o][close]" },
		{ "frame raw\non 3 bytes send \"$0.\"", "abcdef" END, "abc.def.[close]" },
		{ "frame raw\non 3 bytes send \"$0.\"", "abcde" END, "abc.[fail --talk:2: no rule for \"de\" @3]" },
		{ "frame raw\non \"ab\" send \"1\"\non 3 bytes send \"2\"", "abaabab", "121[stuck]" },
		{ "frame raw\non \"ab\" send \"1\"\non 3 bytes send \"2\"", "abaacab" END, "121[close]" },
		{ "frame raw\non i\"AB\" x1 send \"$0\"\non \"ab\" send \"2\"", "aBab" END, "aB2[close]" },
		{ "frame raw\non idle 50ms send \"?\" close\non \"ab\" send \"2\"", "aba", "2[50ms]?[close]" },
		{ "frame raw\nexpect \"hola\" send \"1\"", "holaquetal", "1[close]" },
		{ "frame raw\nexpect \"hola\"", "hole", "[fail --talk:2: expected \"hola\", got \"hole\" (from byte 3 on) @3]" },
		{ "frame raw\nexpect \"a\" expect \"hola\"", "ahi",
			"[fail --talk:2: expected \"hola\", got \"hi\" (from byte 1 on) @2]" },
		{ "frame raw\nexpect \"hola\"", "ho" END,
			"[fail --talk:2: expected \"hola\", got \"ho\" and the end of the data @0]" },
		{ "frame raw\nexpect \"hola\" within 1s", "ho",
			"[1000ms][fail --talk:2: expected \"hola\" within 1s, got \"ho\" @0]" },
		{ "frame raw\nexpect 4 bytes send \"$0\"", "abcd", "abcd[close]" },
		{ "frame raw\nexpect *\"END\" send \"$0\" expect \"x\"", "EENENDx", "END[close]" },
		{ "frame raw\nskip i\"end\" send \"$0\"", "abEnDx", "EnD[close]" },
		{ "frame raw\nskip \"end\"", "abe" END,
			"[fail --talk:2: expected \"end\", got \"be\" and the end of the data @1]" },
		{ "frame raw\nskip \"end\"", "abc", "[5000ms][fail --talk:2: expected \"end\" within 5s, got \"bc\" @1]" },
	};
	(void)state;
	JUDGE(rows, false);
}

static void framings_bound_frames(void **state)
{
	static const struct row rows[] = {
		{ "frame crlf\non any send \"$0\"", "a\nb\r\n\r\nc" END, "a\nb\r\n\r\nc\r\n[close]" },
		{ "frame netstring\non any send \"$0$0\"", "1:a,3:abc,0:," END, "2:aa,6:abcabc,0:,[close]" },
		{ "frame netstring\non any send \"$0\"", "1:a,3:ab" END,
			"1:a,[fail --talk:2: the last frame was cut after 4 bytes @4]" },
		{ "frame netstring\nexpect any", "1:ab", "[fail --talk:2: netstring without its comma @0]" },
		{ "frame netstring,max=9\non any send \"$0\"",
			"10:", "[fail --talk:2: frame of at least 10 bytes is over max 9 @0]" },
		{ "frame fixed=2\non \"ab\" send \"cd\"", "abab" END, "cdcd[close]" },
		{ "frame fixed=2\non any send \"$0$0\"", "ab", "[fail --talk:2: 4 bytes cannot be sent as a frame here @2]" },
		{ "frame line,max=3\non any send \"$0\"", "abc\nabcd\n",
			"abc\n[fail --talk:2: frame without an end is over max 3 @4]" },
		{ "frame u8\nexpect \"a\" within 1s",
			"\3"
			"ab",
			"[1000ms][fail --talk:2: expected \"a\" within 1s, got \"\\x03ab\" @0]" },
		{ "frame u16be\nexpect any", "\1\1" END, "[fail --talk:2: the last frame was cut after 2 bytes @0]" },
		{ "frame u32be\non any close", "zzzz", "[fail --talk:2: frame of 2054847098 bytes is over max 1048576 @0]" },
		{ "frame u32be,max=4k\non any close", "zzz" END,
			"[fail --talk:2: frame of at least 2054846976 bytes is over max 4096 @0]" },
		{ "frame u8\non any send \"$0\" sendraw \"ff\"", "\2hi\1x" END, "\2hiff\1xff[close]" },
	};
	(void)state;
	JUDGE(rows, false);
}

static void a_datagram_is_a_frame(void **state)
{
	static const struct row rows[] = {
		{ "on \"hola\" send \"pues hola\"", "hola" LATER "hola\n" LATER "hola\r\n",
			"{pues hola}{pues hola}{pues hola}[stuck]" },
		{ "on any send \"<$0>\"", "a\nb" LATER "c" LATER "\n" LATER "a\nb\n", "{<a\nb>}{<c>}{<>}{<a\nb\n>}[stuck]" },
		{ "frame raw\non \"ho\" send \"x\"\non ~\"^hola$\" send \"$0!\"", "hola" LATER "ho\n",
			"{hola!}[fail --talk:2: no rule for \"ho\\n\" @4]" },
		{ "frame u16be\non any send \"$0\"", "\1a" LATER "b\n", "{\1a}{b\n}[stuck]" },
		{ "frame nul,max=1\non any send \"$0\"", "ab", "{ab}[stuck]" },
		{ "send \"\" expect \"a\" send 2*\"x\" sendraw \"y\"", "a", "{}{xx}{y}[close]" },
		{ "on eof close", "", "[close]" }, /* it never comes */
		{ "frame u8\nsend 300*\"x\" send 262145*\"x\"", "", NULL },
	};
	static struct play p;
	(void)state;
	judge(rows, sizeof rows / sizeof rows[0] - 1, true);
	p = (struct play){ .script = parse_for(rows[sizeof rows / sizeof rows[0] - 1].script, true), .dgram = true };
	play(&p, "", 0);
	assert_int_equal(p.trace[301], '}');
	assert_string_equal(p.trace + 302, "[fail --talk:2: 262145 bytes cannot be sent as a frame here @0]");
	talk_free((struct talk_script *)(uintptr_t)p.script);
	struct talk_engine e;
	p.script = parse("on \"\" send \"empty\" close");
	assert_int_equal(talk_engine_open(&e, talk_section(p.script, 1), true, 0), 0);
	assert_int_equal(talk_engine_next(&e, 0)->what, DO_WAIT);
	talk_engine_bytes(&e, NULL, 0, 0);
	assert_int_equal(talk_engine_next(&e, 0)->what, DO_MATCH);
	talk_engine_done(&e);
	assert_int_equal(talk_engine_next(&e, 0)->what, DO_SEND);
	talk_engine_close(&e);
	talk_free((struct talk_script *)(uintptr_t)p.script);
}

/* What came before the connection was gone is judged at once, whatever is to be waited for. */
static void a_wait_is_over_when_the_peer_is_gone(void **state)
{
	struct talk_engine e;
	struct talk_script *s = parse("wait 1h expect \"a\" wait 1h expect \"b\"");
	(void)state;
	assert_int_equal(talk_engine_open(&e, talk_section(s, 1), false, 0), 0);
	assert_int_equal(talk_engine_next(&e, 0)->what, DO_WAIT);
	talk_engine_bytes(&e, "a\n", 2, 0);
	talk_engine_eof(&e);
	assert_int_equal(talk_engine_next(&e, 0)->what, DO_WAIT);
	talk_engine_gone(&e);
	assert_int_equal(talk_engine_next(&e, 0)->what, DO_FAIL);
	assert_int_equal(e.act.why, WHY_EOF);
	assert_int_equal(e.in_off, 2);
	talk_engine_close(&e);
	talk_free(s);
}

static void an_end_from_outside_is_judged(void **state)
{
	static const struct {
		const char *script, *by_us, *by_peer; /* NULL: nothing is wrong */
	} rows[] = {
		{ "expect \"a\"", "--talk:1: expected \"a\", and the connection ended",
			"--talk:1: expected \"a\", and the connection ended" },
		{ "wait 1s", NULL, "--talk:1: in the middle of \"wait\", and the connection ended" },
		{ "on any close", NULL, NULL },
		{ "hang", NULL, NULL },
		{ "ignore", NULL, NULL },
		{ "must any close", "--talk:1: must any: it never came", "--talk:1: must any: it never came" },
		{ "close", NULL, NULL },
	};
	(void)state;
	for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
		const char *want = i % 2 == 0 ? rows[i / 2].by_us : rows[i / 2].by_peer;
		char words[TALK_WORDS];
		struct talk_engine e;
		struct talk_script *s = parse(rows[i / 2].script);
		assert_int_equal(talk_engine_open(&e, talk_section(s, 1), false, 0), 0);
		talk_engine_next(&e, 0);
		const struct talk_act *a = talk_engine_end(&e, i % 2 == 0);
		assert_true((a == NULL) == (want == NULL));
		if (a != NULL)
			assert_string_equal(talk_engine_words(&e, a, words), want);
		talk_engine_close(&e);
		talk_free(s);
	}
}

/* --- what comes before it is waited for --- */

static void what_the_steps_can_use_may_come_ahead(void **state)
{
	enum { MIB = 1024 * 1024, EDGES = 2 * FRAMER_EDGE, ALL = TALK_BYTES_MOST };
	static const struct {
		const char *script;
		size_t room;
	} rows[] = {
		{ "send \"a\" hang", MIB + EDGES },
		{ "send \"a\" rst", MIB + EDGES },
		{ "send \"a\"", ALL },
		{ "send \"a\" wait 1s close", ALL },
		{ "send \"a\" ignore", ALL },
		{ "send \"a\" skip \"b\" hang", ALL },
		{ "send \"a\"\non any send \"b\"", MIB + EDGES },
		{ "send \"a\" expect any expect any hang", 2 * (MIB + EDGES) },
		{ "frame u32be,max=100M\nsend \"a\" hang", 100 * MIB + EDGES },
		{ "frame u8,max=9\nsend \"a\" hang", MIB },
		{ "frame raw\nsend \"a\" hang", MIB },
		{ "frame raw\nsend \"a\" expect 2000000 bytes send \"b\" expect \"abc\" hang", 2000003 },
		{ "frame raw\nsend \"a\" expect *\"b\" hang", ALL },
		{ "frame raw\nsend \"a\" expect 40000000 bytes expect 40000000 bytes hang", ALL },
		{ "frame raw\nsend \"a\"\non 3000000 bytes hang", 3000000 },
		{ "frame raw\nsend \"a\"\non \"b\" hang", MIB },
	};
	static const unsigned char much[4 * MIB];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct talk_engine e;
		struct talk_script *s = parse(rows[i].script);
		assert_int_equal(talk_engine_open(&e, talk_section(s, 1), false, 0), 0);
		assert_int_equal(talk_engine_next(&e, 0)->what, DO_SEND);
		if (talk_engine_room(&e, 2 * ALL) != rows[i].room)
			fail_msg("%s: %zu", rows[i].script, talk_engine_room(&e, 2 * ALL));
		assert_int_equal(talk_engine_room(&e, 5), 5);
		size_t comes = rows[i].room < sizeof much ? rows[i].room : sizeof much;
		talk_engine_bytes(&e, much, comes - 3, 0);
		assert_int_equal(talk_engine_room(&e, 5), comes == rows[i].room ? 3 : 5);
		talk_engine_bytes(&e, much, 3, 0);
		assert_int_equal(talk_engine_room(&e, 5), comes == rows[i].room ? 0 : 5);
		assert_int_equal(talk_engine_next(&e, 0)->what, DO_SEND);
		talk_engine_close(&e);
		talk_free(s);
	}
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
	static struct play p;
	unsigned n = 0;
	(void)state;
	p.script = parse("on any send \"$0\" expect \"b\"");
	for (; n == 0 || strstr(p.trace, "[close]") == NULL; n++) {
		p.trace[0] = '\0';
		allowed = n;
		sys_gate = short_of_memory;
		play(&p, "a\nb\n" END, 5);
		sys_gate = NULL;
		assert_true(n < 10);
		assert_true(strstr(p.trace, "[close]") != NULL || strstr(p.trace, "out of memory") != NULL || n == 0);
	}
	assert_in_range(n, 3, 9);
	talk_free((struct talk_script *)(uintptr_t)p.script);
}

static void memory_may_be_short_for_what_comes_ahead(void **state)
{
	struct talk_engine e;
	struct talk_script *s = parse("send \"a\" expect \"b\"");
	(void)state;
	assert_int_equal(talk_engine_open(&e, talk_section(s, 1), false, 0), 0);
	assert_int_equal(talk_engine_next(&e, 0)->what, DO_SEND);
	allowed = 0;
	sys_gate = short_of_memory;
	talk_engine_bytes(&e, "b", 1, 0);
	sys_gate = NULL;
	assert_int_equal(talk_engine_next(&e, 0)->what, DO_FAIL);
	assert_int_equal(talk_engine_next(&e, 0)->why, WHY_MEMORY);
	talk_engine_close(&e);
	talk_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_answer),
		cmocka_unit_test(steps_go_one_after_the_other),
		cmocka_unit_test(silence_is_told),
		cmocka_unit_test(raw_bytes_are_taken_as_they_come),
		cmocka_unit_test(framings_bound_frames),
		cmocka_unit_test(a_datagram_is_a_frame),
		cmocka_unit_test(a_wait_is_over_when_the_peer_is_gone),
		cmocka_unit_test(an_end_from_outside_is_judged),
		cmocka_unit_test(what_the_steps_can_use_may_come_ahead),
		cmocka_unit_test(memory_may_be_short_at_any_moment),
		cmocka_unit_test(memory_may_be_short_for_what_comes_ahead),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
