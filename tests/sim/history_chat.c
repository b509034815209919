/* Histories of a chat: clients come and go, talk, take names, whisper and leave, read slowly or not at all, and break off.
 *
 * Every line that a client says has its own number, so that what each of the others got can be read: whole lines, each of them
 * from a member or from the server and never the one in the other's clothes, nothing that a terminal would obey, every speaker's
 * lines in order, none twice, none that was not said; and for a member that kept up throughout: all of them. No queue is longer
 * than it may be. */
#include "tests/sim/stage.h"

#include "chat/chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONFS = 6, WAITS_MOST = 60000 };

static struct conf *confs[CONFS];
static struct stage stage;
static unsigned said[STAGE_PEERS], before_quit[STAGE_PEERS]; /* lines with a number, and those of them that count */
static bool quits[STAGE_PEERS];

static void chat_open(void)
{
	for (size_t i = 0; i < CONFS; i++)
		confs[i] = stage_conf();
	for (size_t i = 0; i < 3; i++) /* whose lines are checked; what silence ends is a piece of one */
		stage_set(confs[i], &broadcast_opts, "whole-lines", NULL);
	stage_set(confs[1], &broadcast_opts, "slow", "close");
	stage_set(confs[2], &broadcast_opts, "slow", "wait");
	stage_set(confs[3], &broadcast_opts, "max-line", "20");
	stage_set(confs[4], &chat_opts, "wire", "vbnet");
	stage_set(confs[5], &chat_opts, "wire", "raw");
}

static void chat_close(void)
{
	for (size_t i = 0; i < CONFS; i++)
		conf_free(confs[i]);
}

/* One line, into `to`; mostly a numbered one. */
static size_t write_line(char *to, size_t cap, unsigned i, struct dice *d)
{
	static const char *const others[] = { "/who\n", "/help\n", "/nick n%u\n", "/nick server\n", "/nope \x1b[2J\n", "\n",
		"* forged\n", "<1> t9999 forged\n", "/me \x01\x02\xff\n", "//who\r\n", "/msg n1 psst\n", "/msg 2 psst\n",
		"/nick\n" };
	enum { OTHERS = sizeof others / sizeof others[0] };
	if (dice_chance(d, 70)) {
		before_quit[i] += !quits[i];
		return (size_t)snprintf(to, cap, "t%u\n", ++said[i]);
	}
	if (dice_chance(d, 6)) {
		quits[i] = true;
		return (size_t)snprintf(to, cap, "/quit\n");
	}
	const char *line = others[dice_roll(d, OTHERS)];
	size_t n = strlen(line);
	if (strchr(line, '%') != NULL)
		return (size_t)snprintf(to, cap, "/nick n%u\n", i + 1);
	memcpy(to, line, n);
	return n;
}

/* The lines, cut into pieces with pauses in between. */
static void write_script(struct stage_peer *p, unsigned i, struct dice *d)
{
	size_t n = 0, at = 0;
	unsigned acts = 0;
	said[i] = before_quit[i] = 0;
	quits[i] = false;
	for (unsigned lines = dice_roll(d, 14); lines > 0; lines--)
		n += write_line(p->text + n, sizeof p->text - n, i, d);
	while (at < n && acts < STAGE_ACTS) {
		size_t piece = acts == STAGE_ACTS - 1 || dice_chance(d, 30) ? n - at : 1 + dice_roll(d, (unsigned)(n - at));
		if (dice_chance(d, 30)) {
			stage_wait(&p->reads[acts++], d);
		} else {
			p->reads[acts++] = (struct act){ .kind = ACT_SAY, .text = p->text + at, .n = piece };
			at += piece;
		}
	}
	if (at < n) /* the last act was a wait */
		p->reads[acts++] = (struct act){ .kind = ACT_SAY, .text = p->text + at, .n = n - at };
	stage_last(&p->reads[acts], d, 10);
	stage_writes(p, d, 10);
}

struct ear { /* what one client heard */
	const struct stage *stage;
	const struct stage_peer *peer;
	unsigned self, last[STAGE_PEERS], heard[STAGE_PEERS];
	bool missed;
};

static void hear_number(struct ear *ear, const char *from, const char *end)
{
	unsigned id = 0, number = 0;
	char text[32];
	from += from[0] == 'n';
	snprintf(text, sizeof text, "%.*s", (int)(end - from), from);
	if (sscanf(text, "%u> t%u", &id, &number) != 2)
		return;
	sim_check(id >= 1 && id <= ear->stage->peers && id != ear->self, "a line came from no member");
	sim_check(number > ear->last[id - 1], "a line came twice, or too early");
	sim_check(number <= said[id - 1] && end[-1] >= '0' && end[-1] <= '9', "a line came that no member said");
	ear->last[id - 1] = number;
	ear->heard[id - 1]++;
}

static void hear_line(struct ear *ear, const char *line, const char *end)
{
	size_t n = (size_t)(end - line);
	for (size_t i = 0; i < n; i++)
		sim_check((unsigned char)line[i] >= ' ' && (unsigned char)line[i] < 127, "a byte that a terminal would obey");
	ear->missed |= n > 12 && memcmp(line, "* you missed", 12) == 0;
	if (n > 2 && line[0] == '<')
		hear_number(ear, line + 1, end);
	else
		sim_check(n > 2 && line[0] == '*' && line[1] == ' ', "a line from neither a client nor the server");
}

static void hear(struct ear *ear)
{
	const struct stage_peer *me = ear->peer;
	const char *at = (const char *)me->d.got, *end = at == NULL ? NULL : at + me->d.got_n, *lf;
	bool well = me->gone && me->d.was_shut && (me->by == END_PEER || me->by == END_DRAIN);
	for (; at < end; at = lf + 1) {
		lf = memchr(at, '\n', (size_t)(end - at));
		sim_check(lf != NULL || !well, "the last line was cut, and that was called an end");
		if (lf == NULL)
			return;
		hear_line(ear, at, lf);
	}
}

/* A member present before the speaker came and after all was said, and that kept up, heard it all. */
static void check_whole(const struct ear *ear)
{
	const struct stage_peer *me = ear->peer;
	if (ear->missed || !me->gone || me->left || me->cut || me->by != END_DRAIN || me->d.ended || me->d.failed ||
		!me->d.was_shut)
		return;
	for (unsigned i = 0; i < ear->stage->peers; i++) {
		const struct stage_peer *they = &ear->stage->peer[i];
		bool later = me->after_ms + 100 < they->after_ms;
		if (i + 1 != ear->self && later && they->left && !they->cut && they->by == END_PEER && they->d.ended &&
			!they->d.failed)
			sim_check(ear->heard[i] >= before_quit[i], "a line did not come to a member that kept up");
	}
}

static void check_queues(struct stage *st)
{
	const struct chat *c = st->service_run->mem;
	for (const struct member *m = c->broadcast.first; m != NULL; m = m->next)
		sim_check(m->out.bytes <= BROADCAST_QUEUE_BYTES, "a queue is longer than it may be");
}

static void chat_run(struct dice *d)
{
	struct stage *st = &stage;
	unsigned which = dice_roll(d, CONFS);
	bool dgram = dice_chance(d, 10);
	stage_open(st, d, confs[which], 2 + dice_roll(d, STAGE_PEERS - 1), dgram ? ST_DGRAM : 0);
	st->look = check_queues;
	for (unsigned i = 0; i < st->peers; i++)
		write_script(&st->peer[i], i, d);
	sim_check(stage_run(st, &service_chat, WAITS_MOST), "a chat did not start");
	bool lines = which < 3;
	for (unsigned i = 0; i < st->peers && lines && !dgram; i++) {
		struct ear ear = { .stage = st, .peer = &st->peer[i], .self = i + 1 };
		hear(&ear);
		check_whole(&ear);
	}
	stage_close(st);
}

const struct kind kind_chat = { .name = "chat", .share = 6, .open = chat_open, .run = chat_run, .close = chat_close };
