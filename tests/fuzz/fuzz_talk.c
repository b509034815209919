/* A talk script up to the first NUL, and behind it what a peer says: the script is taken or refused in one sentence, and the
 * conversation is the same however the peer's bytes are cut. */
#include "tests/fuzz/fuzz.h"

#include "tests/unit/talk_play.h"

#include <stdlib.h>
#include <string.h>

enum { MEMORY_MOST = 1 << 17 };

static void converse(const struct talk_script *script, const char *in, size_t n, bool dgram)
{
	static struct play whole, cut;
	whole.script = cut.script = script;
	whole.dgram = cut.dgram = dgram;
	whole.rules = cut.rules = true;
	whole.acts_most = cut.acts_most = 200;
	play(&whole, in, n);
	for (size_t piece = 1; piece < 8; piece += 3) {
		cut.cut = piece;
		play(&cut, in, n);
		fuzz_check(cut.used == whole.used && memcmp(cut.trace, whole.trace, whole.used) == 0,
			"cut it is another conversation");
		fuzz_check(cut.in_most <= n + MEMORY_MOST, "it takes too much memory");
	}
}

static void run(const uint8_t *bytes, size_t n)
{
	static char text[4096];
	size_t at = 0;
	struct err e = { 0 };
	const char *texts[] = { text };
	if (n < 2 || !fuzz_word(bytes + 1, n - 1, &at, '\0', text, sizeof text) || strchr(text, '@') != NULL)
		return;
	bool dgram = bytes[0] & 1;
	const struct talk_options options = { .framer = framer_line, .dgram = dgram, .swap = bytes[0] & 2, .tls = bytes[0] & 4 };
	struct talk_script *script = talk_parse(texts, 1, &options, &e);
	if (script == NULL) {
		fuzz_check(e.cls == ERR_USAGE && strncmp(e.what, "--talk", 6) == 0, "refused without saying where");
		fuzz_check_shown(e.what);
		return;
	}
	at = at < n - 1 ? at : n - 1;
	if (talk_section(script, 1) != NULL)
		converse(script, (const char *)bytes + 1 + at, n - 1 - at, dgram);
	talk_free(script);
}

const struct fuzz fuzz_talk = { .name = "talk", .run = run };
