/* Histories of conversations over streams: several peers hold the same script with the service, in short reads and writes, with
 * waits, ends and resets. Each ends once, with everything given back. Where no clock has a say, in every other history, what was
 * sent to one of them is the beginning of what the engine alone sends for the same input, and all of it if nothing befell it.
 */
#include "tests/sim/stage.h"
#include "tests/sim/talk_draft.h"
#include "tests/unit/talk_play.h"

#include "talk/talk.h"

#include <string.h>

enum { WAITS_MOST = 60000, ACTS_MOST = 3000, SAID_MOST = TALK_DRAFT_IN + STAGE_ACTS + 1 };

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

/* What it said, as the engine alone hears it: each act for itself, and the end. */
static size_t said(const struct stage_peer *p, char in[SAID_MOST], bool dgram)
{
	size_t n = 0;
	const struct act *a = p->reads;
	for (; a->kind != ACT_STOP && a->kind != ACT_END && a->kind != ACT_FAIL; a++) {
		if (a->kind != ACT_SAY)
			continue;
		memcpy(in + n, a->text, a->n);
		n += a->n;
		if (dgram)
			in[n++] = TALK_DRAFT_LATER;
	}
	if (a->kind == ACT_END)
		in[n++] = TALK_DRAFT_END;
	return n;
}

/* Whatever befell it, it was sent the beginning of that; all of it, if nothing did. */
static void check_sent(const struct stage_peer *p, const struct talk_script *s, const struct talk_draft *draft)
{
	static struct play alone;
	char in[SAID_MOST];
	size_t n = said(p, in, draft->dgram);
	alone = (struct play){ .script = s, .dgram = draft->dgram, .sent = true, .acts_most = ACTS_MOST };
	play(&alone, in, n);
	/* A datagram peer of a server that takes nothing for a minute is forgotten. */
	bool whole = p->left && !p->cut && !p->d.failed && p->by != END_KICK && !(draft->dgram && p->by == END_IDLE);
	if (alone.used >= PLAY_TRACE - 1 || alone.stopped)
		return;
	bool fits = whole ? p->d.got_n == alone.used : p->d.got_n <= alone.used;
	if (!fits || (p->d.got_n > 0 && memcmp(p->d.got, alone.trace, p->d.got_n) != 0))
		sim_fail("it was sent something else than the engine alone would have sent:\n%s\ngot   %.*s\nalone %.*s",
			draft->text, (int)p->d.got_n, (const char *)p->d.got, (int)alone.used, alone.trace);
}

static void check_all_sent(const struct stage *st, const struct talk_draft *draft)
{
	const struct talk_options options = { .framer = framer_line, .dgram = draft->dgram };
	const char *texts[] = { draft->text };
	struct err e = { 0 };
	struct talk_script *s = talk_parse(texts, 1, &options, &e);
	sim_check(s != NULL, "a script is good for the service alone");
	for (unsigned i = 0; i < st->peers; i++)
		if (st->peer[i].d.got_n > 0 || st->peer[i].gone)
			check_sent(&st->peer[i], s, draft);
	talk_free(s);
}

static void talk_run(struct dice *d)
{
	static struct talk_draft draft;
	struct stage *st = &stage;
	struct conf *conf = stage_conf();
	bool dgram = dice_chance(d, 10);
	draft.dice = d;
	draft.dgram = dgram;
	draft.untimed = dice_chance(d, 50);
	talk_draft(&draft);
	if (!draft.untimed)
		stage_set(conf, &clock_opts, "max-time", "2s"); /* an idle rule would speak for ever */
	stage_set(conf, &talk_opts, "talk", draft.text);
	stage_open(st, d, conf, 1 + dice_roll(d, 3), dgram ? ST_DGRAM : 0);
	for (unsigned i = 0; i < st->peers; i++)
		write_script(&st->peer[i], &draft, d, dgram);
	if (stage_run(st, &service_talk, WAITS_MOST)) {
		sim_check(st->service_run->all.left == 0 || st->outcome.signo != 0 || st->ending, "a conversation did not end");
		if (draft.untimed)
			check_all_sent(st, &draft);
	}
	stage_close(st);
	conf_free(conf);
}

const struct kind kind_talk = { .name = "talk", .share = 6, .run = talk_run };
