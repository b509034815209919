/* A setup is tried at once; only one that returns AGAIN gets memory, a waiter and a deadline. Its end is deferred to the next
 * turn, because the waiter that calls back is part of what is freed. */
#include "server/handshake.h"

#include "base/list.h"
#include "base/mem.h"
#include "net/layer.h"
#include "stream/waiter.h"

#include <errno.h>

struct handshake {
	struct handshakes *all;
	struct accepted who;
	struct stream *s;
	struct waiter waiter;
	struct timer deadline;
	struct task end;
	bool held;	/* not before the timer */
	struct why why; /* ERR_OK: it passed */
	struct handshake *next, *prev;
};

static const struct why handshake_cut = { ERR_LOST, DROPPED | BY_DRAIN, 0, "cut before its setup was done" };
static const struct why handshake_dropped = { ERR_LOST, DROPPED, 0, "dropped before its setup was done" };
static const struct why too_slow = { ERR_TIMEOUT, 0, 0, "setup took too long" };
static const struct why no_memory = { ERR_LOCAL, 0, ENOMEM, "set up" };

/* Leaves the lists and the loop; only the stream remains. */
static struct stream *let_go(struct handshake *p)
{
	struct handshakes *all = p->all;
	struct loop *loop = all->run->loop;
	struct stream *s = p->s;
	waiter_close(&p->waiter);
	loop_timer(loop, &p->deadline, NEVER);
	loop_forget(loop, &p->end);
	LIST_REMOVE(all, p);
	all->count--;
	mem_free(p);
	return s;
}

/* It has passed, and is handed over in the next turn. */
static bool has_passed(const struct handshake *p)
{
	return p->end.queued && p->why.cls == ERR_OK;
}

/* A plain end would look like an empty answer, or as if all had arrived: a layer may have read bytes already. TLS sends its alert
 * first, if it has one. */
static void handshake_fail(struct handshake *p, const struct why *why)
{
	struct handshakes *all = p->all;
	struct accepted who = p->who;
	struct why copy = *why; /* it may lie in p */
	struct stream *s = let_go(p);
	all->ops->failed(all->arg, s, &who, &copy);
	stream_close(s, CLOSE_RST);
}

static void hand_over(struct handshake *p)
{
	struct handshakes *all = p->all;
	struct accepted who = p->who;
	all->ops->passed(all->arg, let_go(p), &who);
}

static void on_handshake_end(void *arg)
{
	struct handshake *p = arg;
	if (p->why.cls != ERR_OK)
		handshake_fail(p, &p->why);
	else
		hand_over(p);
}

static void end_soon(struct handshake *p, const struct why *why)
{
	p->why = *why;
	waiter_rest(&p->waiter);
	loop_timer(p->all->run->loop, &p->deadline, NEVER);
	loop_later(p->all->run->loop, &p->end);
}

static void on_handshake_ready(void *arg)
{
	static const struct why well = { .cls = ERR_OK };
	struct handshake *p = arg;
	if (p->end.queued || p->held)
		return;
	int rc = stream_setup(p->s);
	if (rc == 0)
		end_soon(p, &well);
	else if (rc != ST_AGAIN)
		end_soon(p, &p->s->why);
	else if (waiter_arm(&p->waiter, true, false) != 0)
		end_soon(p, &no_memory);
}

static void on_handshake_deadline(void *arg)
{
	end_soon(arg, &too_slow);
}

static void on_handshake_begin(void *arg)
{
	struct handshake *p = arg;
	struct loop *loop = p->all->run->loop;
	p->held = false;
	p->deadline.fn = on_handshake_deadline;
	loop_timer(loop, &p->deadline, loop_now(loop) + HANDSHAKE_MS);
	on_handshake_ready(p);
}

static void wait_for(struct handshakes *all, struct stream *s, const struct accepted *who)
{
	struct handshake *p = mem_new(sizeof *p);
	if (p == NULL) {
		stream_close(s, CLOSE_RST);
		all->ops->failed(all->arg, NULL, who, &no_memory);
		return;
	}
	p->all = all;
	p->who = *who;
	p->s = s;
	p->end = (struct task){ .fn = on_handshake_end, .arg = p };
	p->held = who->hold_ms > 0 || who->in_turn;
	p->deadline = (struct timer){ .fn = p->held ? on_handshake_begin : on_handshake_deadline, .arg = p };
	LIST_APPEND(all, p);
	all->count++;
	waiter_open(&p->waiter, all->run->loop, s, on_handshake_ready, p);
	if (!who->in_turn)
		loop_timer(all->run->loop, &p->deadline, loop_now(all->run->loop) + (p->held ? who->hold_ms : HANDSHAKE_MS));
	if (!p->held && waiter_arm(&p->waiter, true, false) != 0)
		end_soon(p, &no_memory);
}

void handshake_start(struct handshakes *all, struct stream *s, const struct accepted *who)
{
	int rc = who->hold_ms > 0 || who->in_turn ? ST_AGAIN : stream_setup(s);
	if (rc == 0) {
		all->ops->passed(all->arg, s, who);
		return;
	}
	if (rc == ST_AGAIN) {
		wait_for(all, s, who);
		return;
	}
	all->ops->failed(all->arg, s, who, &s->why);
	stream_close(s, CLOSE_RST);
}

/* A failed setup that waits for its turn keeps its own reason. */
static void handshake_drop(struct handshake *p)
{
	handshake_fail(p, p->end.queued && !has_passed(p) ? &p->why : &handshake_dropped);
}

bool handshake_drop_oldest(struct handshakes *all)
{
	struct handshake *p = all->first;
	while (p != NULL && (has_passed(p) || p->who.in_turn))
		p = p->next;
	if (p == NULL)
		return false;
	handshake_drop(p);
	return true;
}

bool handshake_hand_over(struct handshakes *all)
{
	struct handshake *p = all->first;
	while (p != NULL && !has_passed(p))
		p = p->next;
	if (p == NULL)
		return false;
	hand_over(p);
	return true;
}

static struct handshake *first_in_turn(const struct handshakes *all)
{
	struct handshake *p = all->first;
	while (p != NULL && !p->who.in_turn)
		p = p->next;
	return p;
}

bool handshakes_in_turn(const struct handshakes *all)
{
	return first_in_turn(all) != NULL;
}

void handshakes_next(struct handshakes *all)
{
	struct handshake *p = first_in_turn(all);
	if (p != NULL && p->held)
		on_handshake_begin(p);
}

void handshakes_close_others(struct handshakes *all)
{
	for (struct handshake *p = all->first, *next; p != NULL; p = next) {
		next = p->next;
		if (!p->who.in_turn)
			handshake_drop(p);
	}
}

void handshakes_close(struct handshakes *all)
{
	while (all->first != NULL)
		handshake_drop(all->first);
}

unsigned handshakes_cut(struct handshakes *all)
{
	unsigned lossy = 0;
	while (all->first != NULL) {
		lossy += !all->first->held && stream_unread(all->first->s); /* a fault that holds it loses it on purpose */
		handshake_fail(all->first, &handshake_cut);
	}
	return lossy;
}
