/* Histories of the talk engine alone: a script and a peer drawn at random, played whole, and cut and read ahead in five ways.
 * Memory stays bounded, and however the bytes are cut on their way, the outcome is the same word for word. */
#include "tests/sim/sim.h"
#include "tests/sim/talk_draft.h"
#include "tests/unit/talk_play.h"

#include <string.h>

enum { MEMORY_MOST = 4096 };

static void play_run(struct dice *dice)
{
	static struct play whole, cut;
	static struct talk_draft d;
	const size_t cuts[] = { 1, 2, 5, 9, 0 };
	struct talk_options options = { .framer = framer_line, .tls = true };
	uint32_t other = 1 + dice_roll(dice, 1u << 30);
	const char *texts[] = { d.text };
	struct err e;
	char in[TALK_DRAFT_IN];
	d.dice = dice;
	options.dgram = d.dgram = dice_chance(dice, 12);
	d.tls = true;
	talk_draft(&d);
	struct talk_script *s = talk_parse(texts, 1, &options, &e);
	if (s == NULL)
		return;
	size_t n = talk_draft_input(&d, in);
	whole.script = cut.script = s;
	whole.rules = cut.rules = true;
	whole.dgram = cut.dgram = options.dgram;
	whole.acts_most = cut.acts_most = 300;
	play(&whole, in, n);
	for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
		cut.cut = cuts[i];
		cut.dice = i % 2 == 0 ? NULL : &other;
		cut.ahead = i == 0 ? NULL : &other;
		play(&cut, in, n);
		if (cut.used != whole.used || memcmp(cut.trace, whole.trace, whole.used) != 0)
			sim_fail("cut by %zu it is another conversation:\n%s\nwhole %s\ncut   %s", cuts[i], d.text, whole.trace,
				cut.trace);
		if (cut.in_most > MEMORY_MOST)
			sim_fail("%zu bytes of memory", cut.in_most);
	}
	talk_free(s);
}

const struct kind kind_play = { .name = "play", .share = 2, .run = play_run };
