/* Scripts and conversations drawn at random: nothing crashes or hangs, memory stays bounded, and however the bytes are cut on
 * their way, the outcome is the same word for word. TALK_RUNS says how many, TALK_SEED where to begin; a failure prints its own
 * seed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/talk_play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 20000, HELD_LEAST = 10000, TEXT = 2048, IN = 160, MEMORY_MOST = 4096 };

struct draft {
	char text[TEXT];
	size_t used;
	uint32_t *dice;
	bool raw, matched, dgram;
};

static uint32_t upto(struct draft *d, uint32_t n)
{
	return play_dice(d->dice) % n;
}

static const char *one_of(struct draft *d, const char *const *words, uint32_t n)
{
	return words[upto(d, n)];
}
#define ONE_OF(d, ...)                                                                                                           \
	one_of((d), (const char *const[]){ __VA_ARGS__ },                                                                        \
		(uint32_t)(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *)))

static __attribute__((format(printf, 2, 3))) void add(struct draft *d, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(d->text + d->used, TEXT - d->used, fmt, ap);
	va_end(ap);
	d->used += (size_t)n < TEXT - d->used ? (size_t)n : TEXT - d->used - 1;
}

static void add_literal(struct draft *d)
{
	add(d, "%s",
		ONE_OF(d, "\"a\"", "\"ab\"", "\"ba\"", "\"b\"", "\"bb\"", "\"\"", "\"aba\"", "x\"61 62\" \"a\"", "2*\"a\"",
			"\"A\"", "\"\\n\""));
}

/* Mostly one that may stand there; what is refused is a test of the parser. */
static void add_pattern(struct draft *d, bool rule)
{
	uint32_t kind = upto(d, 40);
	if (kind == 0 || (!d->raw && kind < 6)) {
		add(d, "%s",
			ONE_OF(d, "any", "!any", "~\"a+\"", "~\"^(a*)b\"", "~i\"(A)(B)?\"", "!~\"a\"", "! *\"ab\"", "!\"a\""));
	} else if (kind < 10) {
		add(d, "%u bytes", upto(d, 4) + (d->raw ? 1 : 0));
	} else {
		add(d, "%s", kind < 20 && !(d->raw && rule) ? "*" : kind < 28 ? "^" : "");
		add(d, "%s", upto(d, 4) == 0 ? "i" : "");
		add_literal(d);
	}
}

static void add_step(struct draft *d, bool rule)
{
	switch (upto(d, 12)) {
	case 0:
	case 1:
	case 2:
		add(d, " send %s", d->matched ? ONE_OF(d, "\"<$0>\"", "\"x\"", "2*\"$0\"", "\"\"") : "\"hi\"");
		break;
	case 3:
		add(d, " sendraw 3*\"y\"");
		break;
	case 4:
	case 5:
		add(d, " %s ", ONE_OF(d, "expect", "skip"));
		add_pattern(d, false);
		add(d, "%s", upto(d, 3) == 0 ? " within 70ms" : "");
		d->matched = true;
		break;
	case 6:
		add(d, " wait %ums", upto(d, 3) * 40);
		break;
	case 7:
		if (upto(d, 4) == 0 && !d->dgram)
			add(d, " starttls");
		add(d, " log %s", d->matched ? "\"$0\"" : "\"l\"");
		break;
	default:
		add(d, "%s", rule ? " log \"r\"" : " send \"s\"");
	}
}

static void add_steps(struct draft *d, bool rule)
{
	for (uint32_t n = upto(d, 3) + 1; n > 0; n--)
		add_step(d, rule);
	if (upto(d, 6) == 0)
		add(d, " %s", ONE_OF(d, "close", "rst", "hang", "ignore", "shut", "fail \"f\""));
	add(d, "\n");
}

static void add_rule(struct draft *d)
{
	uint32_t kind = upto(d, 12);
	d->matched = kind != 1 && kind != 2;
	if (kind == 0) {
		add(d, "else");
	} else {
		add(d, "%s ", ONE_OF(d, "on", "on", "on", "must"));
		if (kind == 1)
			add(d, "eof");
		else if (kind == 2)
			add(d, "idle %ums", upto(d, 3) * 35 + 35);
		else
			add_pattern(d, true);
		if (upto(d, 4) == 0)
			add(d, " x%u", upto(d, 3) + 1);
	}
	add_steps(d, true);
}

static void draft(struct draft *d)
{
	const char *frame = ONE_OF(d, "raw", "raw", "raw", "line", "line,max=7", "crlf", "nul", "netstring,max=12", "fixed=2",
		"u8,max=9", "u16le,incl,max=20", "u32be");
	d->raw = strcmp(frame, "raw") == 0;
	add(d, "frame %s\ntimeout 300ms\n", frame);
	if (upto(d, 2) == 0) {
		d->matched = false;
		add_steps(d, false);
	}
	for (uint32_t n = upto(d, 5); n > 0; n--)
		add_rule(d);
}

static size_t draw_input(struct draft *d, char in[IN])
{
	static const char alphabet[] = "aaaabbbbA\n\n\r\n\0\0\1\2\3"
				       "3:,";
	size_t n = upto(d, IN - 1);
	for (size_t i = 0; i < n; i++)
		in[i] = upto(d, 25) == 0 ? LATER[0] : alphabet[upto(d, sizeof alphabet - 1)];
	if (upto(d, 2) == 0)
		in[n++] = END[0];
	return n;
}

static bool one(uint32_t seed)
{
	static struct play whole, cut;
	static struct draft d;
	const size_t cuts[] = { 1, 2, 5, 9 };
	struct talk_options options = { .framer = framer_line, .tls = true };
	uint32_t dice = seed * 2654435761u | 1, other = dice;
	const char *texts[] = { d.text };
	struct err e;
	char in[IN];
	d = (struct draft){ .dice = &dice };
	for (int i = 0; i < 8; i++)
		play_dice(&dice);
	options.dgram = d.dgram = upto(&d, 8) == 0;
	draft(&d);
	struct talk_script *s = talk_parse(texts, 1, &options, &e);
	if (s == NULL)
		return false;
	size_t n = draw_input(&d, in);
	whole = (struct play){ .script = s, .rules = true, .dgram = options.dgram, .acts_most = 300 };
	play(&whole, in, n);
	for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
		cut = (struct play){ .script = s, .rules = true, .dgram = whole.dgram, .acts_most = 300, .cut = cuts[i] };
		cut.dice = i % 2 == 0 ? NULL : &other;
		play(&cut, in, n);
		if (cut.used != whole.used || memcmp(cut.trace, whole.trace, whole.used) != 0)
			fail_msg("TALK_SEED=%u, cut by %zu:\n%s\nwhole %s\ncut   %s", seed, cuts[i], d.text, whole.trace,
				cut.trace);
		if (cut.in_most > MEMORY_MOST)
			fail_msg("TALK_SEED=%u: %zu bytes of memory", seed, cut.in_most);
	}
	talk_free(s);
	return true;
}

static uint32_t setting(const char *name, uint32_t otherwise)
{
	const char *text = getenv(name);
	return text != NULL ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
}

static void the_cut_never_decides(void **state)
{
	uint32_t first = setting("TALK_SEED", 1), runs = setting("TALK_RUNS", RUNS), good = 0;
	(void)state;
	for (uint32_t i = 0; i < runs; i++)
		good += one(first + i);
	print_message("%u of %u scripts were held, from seed %u on\n", good, runs, first);
	assert_true(runs != RUNS || good >= HELD_LEAST);
}

/* Words of the grammar in any order, and bytes in between: refused or not, but never worse. */
static void any_text_is_read_or_refused(void **state)
{
	static const char *const words[] = { "on", "must", "else", "conn", "frame", "timeout", "send", "expect", "skip", "within",
		"wait", "close", "fault", "log", "\"a\"", "\"$1\"", "\"", "x\"6\"", "x\"61\"", "@\"/dev/null\"", "3*", "3",
		"bytes", "any", "!", "^", "~", "i", "eof", "idle", "1s", "x2", "1-3", "*", "\n", "\\\n", "\\", "#", "~\"(\"",
		"~\"(a)\"", "line", "u8,incl", "raw", "\xff", "\t" };
	const struct talk_options options = { .framer = framer_line, .tls = true };
	uint32_t dice = setting("TALK_SEED", 1) * 2654435761u | 1, good = 0;
	(void)state;
	for (uint32_t i = setting("TALK_RUNS", RUNS); i > 0; i--) {
		char text[256] = "";
		for (uint32_t n = play_dice(&dice) % 12; n > 0; n--) {
			strcat(text, words[play_dice(&dice) % (sizeof words / sizeof words[0])]);
			strcat(text, play_dice(&dice) % 4 == 0 ? "" : " ");
		}
		const char *texts[] = { text };
		struct err e = { 0 };
		struct talk_script *s = talk_parse(texts, 1, &options, &e);
		if (s == NULL && (e.cls != ERR_USAGE || strncmp(e.what, "--talk", 6) != 0))
			fail_msg("%s\n%s", text, e.what);
		good += s != NULL;
		talk_free(s);
	}
	assert_true(good > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cut_never_decides),
		cmocka_unit_test(any_text_is_read_or_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
