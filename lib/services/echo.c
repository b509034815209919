/* Everything is sent back: bytes as bytes, a datagram as a datagram, the end as an end.
 *
 * Ten thousand clients are mostly idle, and an idle one costs only its session and a waiter. A flow is made on the stack when
 * there is input, and is kept (`busy`) only while bytes wait for a peer that sends faster than it reads, or while the end is
 * passed on. */
#include "services/service.h"

#include "base/mem.h"
#include "pump/flow.h"
#include "stream/waiter.h"

#include <errno.h>

enum {
	LOOK_BYTES = 16 * 1024, /* Above this many bytes per turn, switch from copy to splice. */
	TURN_BYTES = 256 * 1024,
	POOL_MS = 20,
	STREAM_BYTES = 128 /* of a socket's stream, fdstream.c */
};

struct busy {
	struct flow flow;
	struct task turn;
	struct timer again; /* to retry for a block of the pool, or to check the end of a drain */
	bool by_us;	    /* a drain: received bytes are sent back, and then the half-close */
	bool said_bye;	    /* that was sent: later bytes can no longer be answered */
	uint64_t seen;	    /* bytes that had come in when ... */
	int64_t quiet_ms;   /* ... a drain last found nothing there; 0: not yet */
};

struct echo {
	struct waiter waiter;
	struct busy *busy;
};
_Static_assert(sizeof(struct session) + sizeof(struct echo) + STREAM_BYTES <= 528, "an idle client has grown");

static void on_echo_turn(void *arg);

static void open_flow(const struct session *s, struct flow *f)
{
	const struct run *run = s->service_run->run;
	flow_open(f, run->pool, s->stream, s->stream);
	f->events = run->events;
	f->conn = s->id;
	f->name = "echo";
}

static void echo_fail(struct session *s, int sys, const char *text)
{
	const struct why why = { ERR_LOCAL, OF_PEER, sys, text };
	session_end(s, END_ERROR, CLOSE_PLAIN, &why);
}

static int echo_keep(struct session *s, const struct flow *f)
{
	struct busy *busy = mem_new(sizeof *busy);
	if (busy == NULL)
		return -1;
	flow_move(&busy->flow, f);
	busy->turn = (struct task){ .fn = on_echo_turn, .arg = s };
	busy->again = (struct timer){ .fn = on_echo_turn, .arg = s };
	((struct echo *)s->mem)->busy = busy;
	return 0;
}

static void let_go(struct session *s)
{
	struct echo *echo = s->mem;
	if (echo->busy == NULL)
		return;
	loop_forget(s->service_run->run->loop, &echo->busy->turn);
	loop_timer(s->service_run->run->loop, &echo->busy->again, NEVER);
	flow_close(&echo->busy->flow);
	mem_free(echo->busy);
	echo->busy = NULL;
}

/* The whole round, or as far as possible. */
static void echo_over(struct session *s, const struct flow *f)
{
	bool dgram = s->stream->caps & ST_DGRAM;
	if (f->failed_from || f->failed_to)
		session_end(s, END_ERROR, CLOSE_PLAIN, &f->why);
	else
		session_end(s, dgram ? service_run_ends_by(s->service_run) : END_PEER, CLOSE_DONE, NULL);
}

/* It was a drain's end: the peer may still send its own. */
static bool said_bye(const struct session *s, const struct flow *f)
{
	const struct echo *echo = s->mem;
	bool by_us = echo->busy != NULL && echo->busy->by_us && (s->stream->caps & ST_DGRAM) == 0;
	if (!by_us || f->eof || f->failed_from || f->failed_to)
		return false;
	echo->busy->said_bye = true;
	return true;
}

static bool waits_for_peer_only(const struct flow *f)
{
	return f->state == FLOW_OPEN && !flow_holds(f) && !f->wait_to && !f->wait_pool;
}

/* Our end is due after a moment of silence: the rest of the peer's queue needs that long to follow what we read. */
static bool bye_due(struct busy *busy, struct loop *loop)
{
	const struct flow *f = &busy->flow;
	if (!busy->by_us || !f->wait_from || f->state != FLOW_OPEN)
		return false;
	if (busy->quiet_ms == 0 || busy->seen != f->in) {
		busy->seen = f->in;
		busy->quiet_ms = loop_now(loop);
		loop_timer(loop, &busy->again, loop_now(loop) + DRAIN_QUIET_MS);
	}
	return loop_now(loop) >= busy->quiet_ms + DRAIN_QUIET_MS;
}

static void hear_out(struct session *s)
{
	struct echo *echo = s->mem;
	if (!session_hear_out(s, false) && waiter_arm(&echo->waiter, true, false) != 0)
		echo_fail(s, errno, "wait for data from");
}

static void on_echo_turn(void *arg)
{
	struct session *s = arg;
	struct echo *echo = s->mem;
	struct loop *loop = s->service_run->run->loop;
	struct flow own, *f = echo->busy != NULL ? &echo->busy->flow : &own;
	if (s->ended)
		return;
	if (f != &own && echo->busy->said_bye) {
		hear_out(s);
		return;
	}
	if (f == &own)
		open_flow(s, f);
	enum flow_run run = flow_run(f, f->bulk ? TURN_BYTES : LOOK_BYTES);
	if (run == FLOW_MOVED && !f->bulk && !flow_holds(f)) {
		flow_bulk(f);
		run = flow_run(f, TURN_BYTES);
	}
	if (echo->busy != NULL && bye_due(echo->busy, loop)) {
		flow_finish(f);
		run = flow_run(f, TURN_BYTES);
	}
	if (f->state == FLOW_HELD && !f->failed_from) { /* else a peer would take what it got for the whole */
		flow_let_shut(f);
		run = flow_run(f, TURN_BYTES);
	}
	if (run == FLOW_ENDED && said_bye(s, f)) {
		hear_out(s);
		return;
	}
	if (run == FLOW_ENDED) {
		echo_over(s, f);
		if (f == &own)
			flow_close(f);
		return;
	}
	bool rd = f->wait_from, wr = f->wait_to, pool = f->wait_pool;
	bool by_us = echo->busy != NULL && echo->busy->by_us;
	if (run != FLOW_MOVED && waits_for_peer_only(f) && !by_us) {
		if (f == &own)
			flow_close(f);
		let_go(s);
	} else if (f == &own && echo_keep(s, f) != 0) {
		flow_close(f);
		echo_fail(s, ENOMEM, "echo what came from");
		return;
	}
	if (run == FLOW_MOVED)
		loop_later(loop, &echo->busy->turn);
	if (pool)
		loop_timer(loop, &echo->busy->again, loop_now(loop) + POOL_MS);
	if (waiter_arm(&echo->waiter, rd, wr) != 0)
		echo_fail(s, errno, "wait for data from");
}

static int echo_open(struct session *s, struct err *e)
{
	struct echo *echo = s->mem;
	(void)e;
	waiter_open(&echo->waiter, s->service_run->run->loop, s->stream, on_echo_turn, s);
	on_echo_turn(s);
	return 0;
}

/* Our kernel has acknowledged what has arrived, so it is still read, until a moment of silence. */
static void echo_drain(struct session *s)
{
	struct echo *echo = s->mem;
	struct flow f;
	open_flow(s, &f);
	if (echo->busy == NULL && echo_keep(s, &f) != 0) {
		echo_fail(s, ENOMEM, "echo what came from");
		return;
	}
	echo->busy->by_us = echo->busy->flow.state == FLOW_OPEN;
	loop_later(s->service_run->run->loop, &echo->busy->turn);
}

static bool echo_holds(struct session *s)
{
	const struct echo *echo = s->mem;
	return echo->busy != NULL && flow_holds(&echo->busy->flow);
}

static void echo_close(struct session *s)
{
	let_go(s);
	waiter_close(&((struct echo *)s->mem)->waiter);
}

const struct service service_echo = {
	.name = "echo",
	.is = WITH_ECHO,
	.needs = GUARD_UDP | WHOLE_FRAMES,
	.session_bytes = sizeof(struct echo),
	.open = echo_open,
	.drain = echo_drain,
	.holds = echo_holds,
	.close = echo_close,
};
