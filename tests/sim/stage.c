#include "tests/sim/stage.h"

#include "codec/frame.h"
#include "chat/chat.h"
#include "talk/talk.h"

#include <stdlib.h>
#include <string.h>

static const struct opt_group *const groups[] = { &clock_opts, &broadcast_opts, &chat_opts, &talk_opts, &frame_opts, NULL };
static const struct command command = { .name = "sim", .groups = groups };
static const struct command *const commands[] = { &command, NULL };

struct conf *stage_conf(void)
{
	struct conf *conf = conf_new(commands, &command, NULL);
	if (conf == NULL)
		abort();
	return conf;
}

void stage_set(struct conf *conf, const struct opt_group *group, const char *name, const char *text)
{
	struct err e = { 0 };
	for (const struct opt *row = group->rows; row->name != NULL; row++)
		if (strcmp(row->name, name) == 0 && conf_set(conf, group, row, text, &e) == 0)
			return;
	sim_fail("--%s %s: %s", name, text, e.what);
}

static void emit(void *arg, const struct event *ev)
{
	((struct stage *)arg)->closes += ev->kind == EV_CLOSE;
}

void stage_open(struct stage *st, struct dice *d, const struct conf *conf, unsigned peers, unsigned caps)
{
	st->dice = d;
	st->outcome = (struct outcome){ 0 };
	st->events = (struct event_sink){ .emit = emit, .arg = st, .level = EV_DEBUG, .data = dice_chance(d, 20) };
	st->addr = (struct addr){ .kind = caps & ST_DGRAM ? ADDR_UDP : ADDR_TCP, .fd = -1 };
	st->layers = (struct layers){ .addr = &st->addr };
	unsigned pool = dice_roll(d, 12), seed = dice_roll(d, 1000); /* drawn here, because initializers have no order */
	st->run = (struct run){ .loop = sim_loop(),
		.pool = caps & ST_DGRAM ? sim_pool_large(pool) : sim_pool(pool),
		.linger = sim_lingers(),
		.conf = conf,
		.events = &st->events,
		.outcome = &st->outcome,
		.layers = &st->layers,
		.seed = seed };
	st->service_run = NULL;
	st->peers = peers;
	st->closes = 0;
	st->ending = false;
	st->look = NULL;
	for (unsigned i = 0; i < peers; i++) {
		struct stage_peer *p = &st->peer[i];
		memset(p->reads, 0, sizeof p->reads);
		memset(p->writes, 0, sizeof p->writes);
		memset(p->shuts, 0, sizeof p->shuts);
		p->came = p->gone = p->left = p->cut = false;
		p->why = (struct why){ 0 };
		p->stage = st;
		p->after_ms = dice_chance(d, 50) ? 0 : dice_roll(d, 300);
		double_open(&p->d, sim_loop(), caps, p->reads, p->writes);
		p->d.sh.at = p->shuts;
		p->d.owned = true;
		p->d.most = dice_chance(d, 30) ? 1 + dice_roll(d, 9) : 0;
		p->d.stutter_ms = dice_chance(d, 20);
		p->d.timed = dice_chance(d, 30);
	}
}

void stage_wait(struct act *a, struct dice *d)
{
	*a = (struct act)WAIT(1 + dice_roll(d, dice_chance(d, 10) ? 15000 : 30));
}

void stage_last(struct act *a, struct dice *d, unsigned fails_percent)
{
	if (dice_chance(d, fails_percent))
		*a = (struct act)FAIL(ERR_LOST);
	else if (dice_chance(d, 70))
		*a = (struct act)END;
}

void stage_writes(struct stage_peer *p, struct dice *d, unsigned fails_percent)
{
	unsigned n = dice_roll(d, STAGE_ACTS);
	for (unsigned i = 0; i < n; i++) {
		if (dice_chance(d, 40))
			stage_wait(&p->writes[i], d);
		else
			p->writes[i] = (struct act)TAKE(1 + dice_roll(d, 60));
	}
	if (dice_chance(d, fails_percent))
		p->writes[n] = (struct act)FAIL(ERR_LOST);
	if (dice_chance(d, 20))
		stage_wait(&p->shuts[0], d);
}

static void peer_comes(void *arg)
{
	struct stage_peer *p = arg;
	struct stage *st = p->stage;
	uint32_t id = (uint32_t)(p - st->peer) + 1;
	struct err e = { 0 };
	static struct sa from, here;
	if (from.family == 0 && (!sa_parse(&from, "192.0.2.1", 80) || !sa_parse(&here, "192.0.2.2", 7)))
		abort();
	if (st->ending)
		return;
	p->came = true;
	if (session_open(st->service_run, &p->d.s, id, dice_chance(st->dice, 10), &from, &here, &e) != 0)
		sim_check(p->d.closed && p->d.how == CLOSE_RST, "a session that was refused is still open");
}

/* A peer let in is let go, once. What lingers is read and dropped, uncounted. */
static void peer_gone(void *arg, struct session *s)
{
	struct stage *st = arg;
	struct stage_peer *p = &st->peer[s->id - 1];
	sim_check(s->ended && p->came && !p->gone, "a session that was not there has gone");
	p->gone = true;
	p->left = !st->ending;
	p->why = s->why;
	p->by = s->by;
	p->in = s->counters.in;
	p->out = s->counters.out;
	sim_check(s->counters.in == p->d.said || (!p->d.closed && s->counters.in < p->d.said),
		"a session did not count what was read");
	sim_check(s->counters.out == p->d.got_n, "a session did not count what was written");
	if (st->look != NULL)
		st->look(st);
}

/* One of them breaks off both ways: its end or its reset is there to be read, nothing can be written, the descriptor hangs up. */
static void cut(void *arg)
{
	static const struct act end[] = { END, { 0 } }, reset[] = { FAIL(ERR_LOST), { 0 } };
	struct stage *st = arg;
	struct stage_peer *p = &st->peer[dice_roll(st->dice, st->peers)];
	if (!p->came || p->d.closed || !p->d.polled || p->d.ended)
		return;
	p->cut = true;
	p->d.rd = (struct script){ .at = dice_chance(st->dice, 50) ? end : reset };
	p->d.wr = (struct script){ .at = reset };
	double_poll(&p->d, p->d.s.rfd, p->d.s.wfd);
	sim_hang_up(p->d.s.wfd);
}

static void kick(void *arg)
{
	struct stage *st = arg;
	struct session *s = session_find(st->service_run, 1 + dice_roll(st->dice, STAGE_PEERS));
	if (s == NULL)
		return;
	sim_check(!s->ended, "a session that has ended was found");
	session_end(s, END_KICK, dice_chance(st->dice, 50) ? CLOSE_RST : CLOSE_PLAIN, NULL);
	sim_check(session_find(st->service_run, s->id) == NULL, "a session that was ended was found");
}

static void drain(void *arg)
{
	struct stage *st = arg;
	st->ending = true;
	service_run_drain(st->service_run);
}

static void stop(void *arg)
{
	struct stage *st = arg;
	st->ending = true;
	st->outcome.signo = dice_chance(st->dice, 50) ? 15 : 0;
	loop_stop(st->run.loop);
}

static void maybe(struct stage *st, struct timer *t, void (*fn)(void *arg), unsigned percent)
{
	*t = (struct timer){ .fn = fn, .arg = st };
	if (dice_chance(st->dice, percent))
		loop_timer(st->run.loop, t, loop_now(st->run.loop) + dice_roll(st->dice, 400));
}

/* Until nothing is left to happen, or the run was stopped. */
static void turn(struct stage *st)
{
	struct err e = { 0 };
	if (loop_run(st->run.loop, &e) != 0)
		sim_check(strcmp(e.what, "waiting for ever") == 0 || strcmp(e.what, "nothing is left to wait for") == 0, e.what);
}

bool stage_run(struct stage *st, const struct service *service, unsigned most_waits)
{
	struct dice *d = st->dice;
	struct err e = { 0 };
	sim_schedule(dice_chance(d, 60) ? d : NULL, most_waits);
	st->layers.service = service;
	st->service_run = service_run_open(&st->run, service, true, &e);
	if (st->service_run == NULL)
		return false;
	st->service_run->server = true;
	st->service_run->gone = peer_gone;
	st->service_run->gone_arg = st;
	for (unsigned i = 0; i < st->peers; i++) {
		struct stage_peer *p = &st->peer[i];
		if (dice_chance(d, 50))
			double_poll(&p->d, 3 + (int)i, 3 + (int)i);
		p->comes = (struct timer){ .fn = peer_comes, .arg = p };
		loop_timer(st->run.loop, &p->comes, loop_now(st->run.loop) + p->after_ms);
	}
	maybe(st, &st->cut, cut, st->addr.kind == ADDR_UDP ? 0 : 20);
	maybe(st, &st->kick, kick, 10);
	maybe(st, &st->drain, drain, 15);
	maybe(st, &st->stop, stop, 5);
	turn(st);
	if (st->outcome.signo == 0 && st->service_run->all.left > 0 && !st->ending) {
		drain(st);
		turn(st);
	}
	return true;
}

static void check_peer(const struct stage_peer *p)
{
	sim_check(p->came == p->d.closed, "a stream was not closed");
	sim_check(p->d.waker.fn == NULL, "a waker stayed set");
	sim_check(p->d.misused == NULL, p->d.misused);
}

void stage_close(struct stage *st)
{
	unsigned came = 0;
	struct timer *const timers[] = { &st->cut, &st->kick, &st->drain, &st->stop };
	st->ending = true;
	if (st->service_run != NULL) {
		service_run_close(st->service_run);
		for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++)
			loop_timer(st->run.loop, timers[i], NEVER);
		for (unsigned i = 0; i < st->peers; i++) {
			loop_timer(st->run.loop, &st->peer[i].comes, NEVER);
			came += st->peer[i].came;
		}
		linger_cut(st->run.linger);
		sim_check(st->closes == came, "not every connection that was opened was reported as closed");
	}
	sim_check(linger_count(st->run.linger) == 0, "a socket still lingers");
	sim_check(loop_is_idle(st->run.loop), "something stayed armed");
	sim_check(pool_is_whole(st->run.pool, SIM_BLOCKS), "a block stayed lent");
	for (unsigned i = 0; i < st->peers; i++) {
		check_peer(&st->peer[i]);
		double_close(&st->peer[i].d);
	}
}
