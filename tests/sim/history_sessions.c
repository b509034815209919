/* Histories of a server's sessions: several peers of an echo come and go, some idle past their time, some too long, some are
 * ended by an operator, a drain or a signal. Each gets the beginning of what it said, all of it when it ended well; the table of
 * sessions is empty in the end, and what it counted is what passed. */
#include "tests/sim/stage.h"

#include "services/service.h"

#include <stdlib.h>

enum { CONFS = 4, WAITS_MOST = 300000 /* three peers that say and take 24,000 bytes one by one */ };

static struct conf *confs[CONFS];
static struct stage stage;

static void sessions_open(void)
{
	for (size_t i = 0; i < CONFS; i++)
		confs[i] = stage_conf();
	stage_set(confs[1], &clock_opts, "idle-timeout", "200ms");
	stage_set(confs[2], &clock_opts, "max-time", "150ms");
	stage_set(confs[3], &clock_opts, "idle-timeout", "20s");
}

static void sessions_close(void)
{
	for (size_t i = 0; i < CONFS; i++)
		conf_free(confs[i]);
}

static void write_script(struct stage_peer *p, struct dice *d, bool dgram)
{
	unsigned n = dice_roll(d, STAGE_ACTS);
	for (unsigned i = 0; i < n; i++) {
		stage_wait(&p->reads[i], d);
		if (dgram && dice_chance(d, 10))
			p->reads[i] = (struct act)EMPTY;
		else if (dice_chance(d, 65))
			p->reads[i] = (struct act)SAY_N(1 + dice_roll(d, dice_chance(d, 3) ? 3000 : 60));
	}
	if (!dgram)
		stage_last(&p->reads[n], d, 15);
	stage_writes(p, d, 10);
}

static void check_peer(const struct stage_peer *p, bool dgram)
{
	sim_check(p->d.got_n <= p->d.said, "more came back than was said");
	for (size_t k = 0; k < p->d.got_n; k++)
		sim_check(p->d.got[k] == double_pattern(k), "a byte came back changed");
	if (dgram || !p->gone || p->by != END_PEER)
		return;
	sim_check(p->why.cls == ERR_OK && p->d.ended && !p->d.failed, "a good end that was none");
	sim_check(p->d.got_n == p->d.said && p->d.was_shut, "a good end, and not all came back");
}

static void sessions_run(struct dice *d)
{
	struct stage *st = &stage;
	bool dgram = dice_chance(d, 20);
	unsigned which = dice_roll(d, CONFS); /* drawn here, because arguments have no order */
	stage_open(st, d, confs[which], 1 + dice_roll(d, 3), dgram ? ST_DGRAM : 0);
	for (unsigned i = 0; i < st->peers; i++)
		write_script(&st->peer[i], d, dgram);
	sim_check(stage_run(st, &service_echo, WAITS_MOST), "an echo did not start");
	uint64_t in = 0, out = 0;
	for (unsigned i = 0; i < st->peers; i++) {
		check_peer(&st->peer[i], dgram);
		in += st->peer[i].gone ? st->peer[i].in : 0;
		out += st->peer[i].gone ? st->peer[i].out : 0;
	}
	uint32_t left = 0;
	for (const struct session *s = st->service_run->all.first; s != NULL; s = s->next)
		left++;
	sim_check(st->service_run->all.left == left && st->service_run->all.count <= left, "the table of sessions counts wrong");
	sim_check(st->service_run->all.in >= in && st->service_run->all.out >= out, "the bytes of sessions were counted wrong");
	stage_close(st);
}

const struct kind kind_sessions = {
	.name = "sessions", .share = 10, .open = sessions_open, .run = sessions_run, .close = sessions_close
};
