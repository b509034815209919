/* A command line, one word a line: it is taken or refused in one sentence; and as one text it tells no password. */
#include "tests/fuzz/fuzz.h"

#include "base/mem.h"
#include "cli/args.h"
#include "cli/parse.h"
#include "report/report.h"
#include "modes/mode.h"

#include <string.h>

enum { WORDS = 12, WORD = 200 };

#define MODE_ROW(name) &mode_##name.cmd,
static const struct command *const commands[] = { MODES(MODE_ROW) NULL };
#undef MODE_ROW

static void run(const uint8_t *bytes, size_t n)
{
	static char text[WORDS][WORD], all[WORDS * WORD * 4];
	char program[] = "sockctl", *words[WORDS + 2] = { program };
	size_t at = 0;
	int argc = 1;
	while (argc <= WORDS && fuzz_word(bytes, n, &at, '\n', text[argc - 1], WORD)) {
		words[argc] = text[argc - 1];
		if (strchr(words[argc], '@') != NULL) /* files of this machine are none of the fuzzer's business */
			return;
		argc++;
	}
	words[argc] = NULL;
	args_text(all, sizeof all, argc, words);
	fuzz_check(strlen(all) < sizeof all, "the command line is longer than its text");
	struct parsed parsed = { 0 };
	struct err e = { 0 };
	if (parse_line(&parsed, argc, words, commands, &e) != 0) {
		fuzz_check(e.cls == ERR_USAGE && e.what[0] != '\0', "refused without a word");
		fuzz_check_shown(e.what);
		return;
	}
	fuzz_check(parsed.argc >= parsed.after && parsed.argc < argc, "more words than there were");
	if (parsed.conf != NULL && conf_check(parsed.conf, &e) != 0)
		fuzz_check_shown(e.what);
	conf_free(parsed.conf);
	mem_free(parsed.argv);
}

const struct fuzz fuzz_options = { .name = "options", .run = run };
