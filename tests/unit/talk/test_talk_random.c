/* Words of the talk language in any order are read or refused, and never worse. TALK_RUNS says how many, TALK_SEED where to
 * begin. (Whole conversations are drawn at random in tests/sim.) */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/talk_play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 15000 };

static uint32_t setting(const char *name, uint32_t otherwise)
{
	const char *text = getenv(name);
	return text != NULL ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
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
		cmocka_unit_test(any_text_is_read_or_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
