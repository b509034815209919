/* Histories of conversations over streams: several peers hold the same script with the service, in short reads and writes, with
 * waits, ends and resets. Each ends once, with everything given back; what was sent to one of them is what the engine alone would
 * have sent to it, where no clock had a say. */
#include "tests/sim/stage.h"
#include "tests/sim/talk_draft.h"

#include "services/service.h"

#include <string.h>

enum { WAITS_MOST = 60000 };

static struct stage stage;

/* What the peer says, with pauses where the marks are. */
static void write_script(struct stage_peer *p, struct talk_draft *draft, struct dice *d, bool dgram)
{
	char in[TALK_DRAFT_IN];
	size_t n = talk_draft_input(draft, in), from = 0, acts = 0, i = 0;
	for (; i < n && acts + 3 < STAGE_ACTS && in[i] != TALK_DRAFT_END; i++) {
		if (in[i] != TALK_DRAFT_LATER && !dice_chance(d, 4))
			continue;
		p->reads[acts++] =
			(struct act){ .kind = i == from ? ACT_WAIT : ACT_SAY, .text = p->text + from, .n = i - from, .ms = 1 };
		stage_wait(&p->reads[acts++], d);
		from = in[i] == TALK_DRAFT_LATER ? i + 1 : i;
	}
	memcpy(p->text, in, n);
	if (i > from)
		p->reads[acts++] = (struct act){ .kind = ACT_SAY, .text = p->text + from, .n = i - from };
	if (!dgram && (i < n || dice_chance(d, 40)))
		stage_last(&p->reads[acts], d, 15);
	stage_writes(p, d, 10);
}

static void talk_run(struct dice *d)
{
	static struct talk_draft draft;
	struct stage *st = &stage;
	struct conf *conf = stage_conf();
	bool dgram = dice_chance(d, 10);
	draft.dice = d;
	draft.dgram = dgram;
	talk_draft(&draft);
	stage_set(conf, &clock_opts, "max-time", "2s"); /* an idle rule would speak for ever */
	stage_set(conf, &talk_opts, "talk", draft.text);
	stage_open(st, d, conf, 1 + dice_roll(d, 3), dgram ? ST_DGRAM : 0);
	for (unsigned i = 0; i < st->peers; i++)
		write_script(&st->peer[i], &draft, d, dgram);
	if (stage_run(st, &service_talk, WAITS_MOST))
		sim_check(st->hub->all.left == 0 || st->outcome.signo != 0 || st->ending, "a conversation did not end");
	stage_close(st);
	conf_free(conf);
}

const struct kind kind_talk = { .name = "talk", .share = 6, .run = talk_run };
