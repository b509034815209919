/* --talk: our end of each connection sends and expects what a script says. The engine (talk_engine.h) has the conversation; here
 * are its stream, its clock, and its reports.
 *
 * Output is flushed before the conversation waits, and while it finds no room the peer is read all the same (talk_hear.c, which
 * also says how deadlines are kept). */
#include "talk/talk.h"
#include "talk/talk_run.h"

#include "fault/fault.h"
#include "codec/frame.h"
#include "net/addr.h"
#include "session/layers.h"
#include "tls/tls.h"

#include <errno.h>

enum {
	TURN_ACTS = 64,
	SEND_BYTES = 64 * 1024,
	TURN_WORK = 100 * 1000, /* of all conversations in a turn of the loop: about a millisecond, or a few with uncached data */
};

struct talk_conf {
	struct opt_list script;
	bool swap;
};

static const struct opt rows[] = {
	{ .name = "talk",
		.kind = OPT_LIST,
		.off = offsetof(struct talk_conf, script),
		.arg = "LINE|@FILE",
		.help = "send and expect what a script says",
		.man = "Sends and expects what a script says: LINE is a line of it, @FILE a file with lines; given again, all of "
		       "them together are the script. See CONVERSATIONS. Anything that the script does not allow closes that "
		       "connection, and the exit status is 8, also of a server of many." },
	{ .name = "swap",
		.kind = OPT_FLAG,
		.off = offsetof(struct talk_conf, swap),
		.help = "play the other side of the script",
		.man = "Sends what the script of --talk expects and expects what it sends. That can be done with plain steps and "
		       "plain data, not with rules or patterns." },
	{ 0 },
};

static int talk_opts_check(void *block, struct err *e)
{
	const struct talk_conf *conf = block;
	if (conf->swap && conf->script.n == 0)
		return err_set(e, ERR_USAGE, 0, "--swap requires --talk: it exchanges the sides of the script");
	return 0;
}

const struct opt_group talk_opts = {
	.title = "Conversations", .size = sizeof(struct talk_conf), .rows = rows, .with = WITH_PAYLOAD, .check = talk_opts_check
};

static const struct talk_conf *conf_of(const struct conf *conf)
{
	return conf_get(conf, &talk_opts);
}

static bool talk_wanted(const struct run *run)
{
	return conf_of(run->conf)->script.n > 0;
}

struct loop *talk_loop(const struct talk *t)
{
	return t->session->service_run->run->loop;
}

static bool is_dgram(const struct talk *t)
{
	return t->session->stream->caps & ST_DGRAM;
}

bool talk_tls(const struct talk *t)
{
	return t->engine.secured || t->session->service_run->run->layers->addr->tls;
}

unsigned char *talk_scratch(const struct talk *t)
{
	return ((struct talks *)t->session->service_run->mem)->scratch;
}

/* --- what is to be done --- */

/* All output has left the layers. */
enum turn talk_flush(struct talk *t)
{
	int rc = t->unflushed ? stream_flush(t->session->stream) : 0;
	if (rc == ST_FAIL)
		return talk_broke(t);
	t->unflushed = rc == ST_AGAIN;
	return rc == 0 ? TURN_ON : TURN_WAIT_WR;
}

static enum turn send_some(struct talk *t)
{
	unsigned char *piece = talk_scratch(t);
	size_t n = talk_engine_copy(&t->engine, piece, is_dgram(t) ? TALK_SCRATCH : SEND_BYTES);
	ssize_t put = stream_write(t->session->stream, piece, n);
	if (put == ST_AGAIN)
		return TURN_WAIT_WR;
	if (put < 0)
		return talk_broke(t);
	t->unflushed = true;
	talk_engine_sent(&t->engine, (size_t)put);
	return TURN_ON;
}

enum turn talk_shut(struct talk *t)
{
	int rc = stream_shut(t->session->stream);
	if (rc == ST_FAIL)
		return talk_broke(t);
	t->unflushed = false;
	t->shut = rc == 0;
	return rc == 0 ? TURN_ON : TURN_WAIT_WR;
}

static enum turn wait_for(struct talk *t, const struct talk_act *a)
{
	const struct session *s = t->session;
	enum turn turn = a->input ? talk_listen(t, a->at_ms) : TURN_WAIT;
	t->listens = a->input;
	if (turn != TURN_WAIT_RD && turn != TURN_WAIT) {
		t->quiet_ms = 0;
		return turn;
	}
	if (s->drained && talk_engine_waits(&t->engine))
		return talk_part(t, turn, a->at_ms);
	if (t->waiter.hup && !a->input && !is_dgram(t)) {
		talk_engine_gone(&t->engine);
		return TURN_ON;
	}
	loop_timer(talk_loop(t), &t->clock, a->at_ms);
	return turn;
}

static void on_talk_turn(void *arg);

static enum turn talk_done(struct talk *t)
{
	talk_engine_done(&t->engine);
	return TURN_ON;
}

/* Earlier output has left, so that offsets count from here. */
static enum turn talk_misbehave(struct talk *t, const struct talk_act *a)
{
	enum turn turn = talk_flush(t);
	if (turn != TURN_ON)
		return turn;
	if (fault_step(t->session->stream, a->step->fault) == 0)
		return talk_done(t);
	const struct why why = { ERR_LOCAL, OF_PEER, errno, "misbehave towards" };
	return talk_over(t, END_ERROR, CLOSE_PLAIN, &why);
}

static enum turn talk_try(struct talk *t, const struct talk_act *a)
{
	enum turn turn = TURN_ON;
	t->listens = false;
	switch (a->what) {
	case DO_SEND:
		return send_some(t);
	case DO_MATCH:
		talk_tell_match(t, a);
		return talk_done(t);
	case DO_UNMATCHED:
		talk_tell_unmatched(t, a);
		return talk_done(t);
	case DO_LOG:
		talk_tell_log(t);
		return talk_done(t);
	case DO_SHUT:
		turn = talk_shut(t);
		return turn == TURN_ON ? talk_done(t) : turn;
	case DO_FAULT:
		return talk_misbehave(t, a);
	case DO_STARTTLS:
		return talk_secure(t);
	case DO_HANG:
		turn = talk_flush(t);
		return turn == TURN_ON ? talk_hang(t) : turn;
	case DO_CLOSE:
		return talk_end_close(t);
	case DO_RST:
		return talk_end_reset(t);
	case DO_FAIL:
		return talk_end_failed(t, a);
	case DO_WAIT:
		return wait_for(t, a);
	case DO_TURN:
		return TURN_LATER;
	default:
		return talk_done(t);
	}
}

/* In a hang, and after a failure, nothing is read. */
static enum turn talk_perform(struct talk *t, const struct talk_act *a)
{
	enum turn turn = talk_try(t, a);
	return turn == TURN_WAIT_WR && a->what != DO_HANG && a->what != DO_FAIL ? talk_hear_ahead(t) : turn;
}

static void talk_arm(struct talk *t, enum turn turn)
{
	bool rd = turn == TURN_WAIT_RD || turn == TURN_WAIT_BOTH, wr = turn == TURN_WAIT_WR || turn == TURN_WAIT_BOTH;
	if (waiter_arm(&t->waiter, rd, wr || t->unflushed) == 0)
		return;
	const struct why cannot = { ERR_LOCAL, OF_PEER, errno, "wait for data from" };
	talk_over(t, END_ERROR, CLOSE_PLAIN, &cannot);
}

void talk_rewait(struct talk *t)
{
	waiter_close(&t->waiter);
	waiter_open(&t->waiter, talk_loop(t), t->session->stream, on_talk_turn, t);
}

static void set_thinking(struct talk *t, bool thinks)
{
	struct talks *all = t->session->service_run->mem;
	all->thinking += (unsigned)thinks - (unsigned)t->thinks;
	t->thinks = thinks;
}

static void on_talk_refill(void *arg)
{
	((struct talks *)arg)->work = TURN_WORK;
}

/* Its part of the work of this turn, so that neither one conversation nor all together block the loop. */
static int64_t share_work(struct talk *t)
{
	struct talks *all = t->session->service_run->mem;
	int64_t part = TURN_WORK / (all->thinking > 0 ? all->thinking : 1);
	loop_later(talk_loop(t), &all->refill);
	return part < all->work ? part : all->work;
}

static enum turn do_acts(struct talk *t)
{
	struct talks *all = t->session->service_run->mem;
	enum turn turn = TURN_ON;
	int64_t work = share_work(t);
	talk_engine_work(&t->engine, work);
	for (int i = 0; i < TURN_ACTS && (turn == TURN_ON || turn == TURN_AGAIN); i++)
		turn = talk_perform(t, talk_engine_next(&t->engine, t->now_ms));
	all->work -= work - t->engine.work;
	set_thinking(t, turn == TURN_LATER);
	return turn;
}

static void on_talk_turn(void *arg)
{
	struct talk *t = arg;
	struct loop *loop = talk_loop(t);
	enum turn turn;
	if (t->session->ended)
		return;
	loop_timer(loop, &t->clock, NEVER);
	if (!t->listens)
		t->now_ms = loop_now(loop);
	turn = t->bye ? talk_hear_out(t) : TURN_ON;
	if (turn == TURN_ON || turn == TURN_AGAIN)
		turn = do_acts(t);
	if ((turn == TURN_WAIT_RD || turn == TURN_WAIT || turn == TURN_LATER) && talk_flush(t) == TURN_OVER)
		return;
	if (turn == TURN_LATER)
		waiter_rest(&t->waiter);
	if (turn == TURN_ON || turn == TURN_AGAIN || turn == TURN_LATER)
		loop_later(loop, &t->turn);
	else if (turn != TURN_OVER)
		talk_arm(t, turn);
}

/* --- the service --- */

static int talk_start(struct service_run *service_run, struct err *e)
{
	const struct talk_conf *conf = conf_of(service_run->run->conf);
	const struct frame_conf *frame = conf_get(service_run->run->conf, &frame_opts);
	const struct talk_options options = {
		.framer = CONF_GIVEN(service_run->run->conf, frame, framer) ? frame->framer : framer_line,
		.dgram = addr_dgram(service_run->run->layers->addr),
		.swap = conf->swap,
		.tls = tls_built(),
	};
	struct talks *talks = service_run->mem;
	talks->work = TURN_WORK;
	talks->refill = (struct task){ .fn = on_talk_refill, .arg = talks };
	talks->script = talk_parse(conf->script.v, conf->script.n, &options, e);
	if (talks->script == NULL)
		return -1;
	service_run->run->layers->faults |= talk_has(talks->script, TALK_FAULT);
	if (layers_tls_later(service_run->run, talk_has(talks->script, TALK_STARTTLS), e) == 0)
		return 0;
	talk_free(talks->script);
	return -1;
}

static int talk_open(struct session *s, struct err *e)
{
	const struct talks *talks = s->service_run->mem;
	struct talk *t = s->mem;
	struct loop *loop = s->service_run->run->loop;
	t->session = s;
	t->now_ms = loop_now(loop);
	t->turn = (struct task){ .fn = on_talk_turn, .arg = t };
	t->clock = (struct timer){ .fn = on_talk_turn, .arg = t };
	if (talk_engine_open(&t->engine, talk_section(talks->script, s->id), is_dgram(t), loop_now(loop)) != 0)
		return err_set(e, ERR_LOCAL, ENOMEM, "begin a conversation");
	t->engine.budget = s->service_run->run->budget;
	waiter_open(&t->waiter, loop, s->stream, on_talk_turn, t);
	loop_later(loop, &t->turn);
	return 0;
}

static void talk_close(struct session *s)
{
	struct talk *t = s->mem;
	bool by_peer = s->by == END_PEER || (s->by == END_ERROR && s->why.cls != ERR_LOCAL), by_fault = s->by == END_FAULT;
	const struct talk_act *fail = by_fault ? NULL : talk_engine_end(&t->engine, !by_peer);
	if (fail != NULL)
		talk_tell_failure(t, fail);
	loop_forget(s->service_run->run->loop, &t->turn);
	loop_timer(s->service_run->run->loop, &t->clock, NEVER);
	set_thinking(t, false);
	waiter_close(&t->waiter);
	talk_engine_close(&t->engine);
}

static void talk_stop(struct service_run *service_run)
{
	struct talks *talks = service_run->mem;
	loop_forget(service_run->run->loop, &talks->refill);
	talk_free(talks->script);
}

const struct service service_talk = {
	.name = "talk",
	.is = WITH_TALK,
	.needs = OWN_FRAMES | LATER_TLS,
	.run_bytes = sizeof(struct talks),
	.session_bytes = sizeof(struct talk),
	.wanted = talk_wanted,
	.start = talk_start,
	.open = talk_open,
	.drain = talk_drain,
	.holds = talk_holds,
	.close = talk_close,
	.stop = talk_stop,
};
