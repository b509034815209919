/* A setup is tried at once; only what says AGAIN gets memory, a waiter and a deadline. Its end is put off to the next turn,
 * because the waiter that brings the news is part of what is freed. */
#include "net/pending.h"

#include "base/mem.h"
#include "io/waiter.h"

#include <errno.h>

struct pending {
	struct pendings *all;
	struct newcomer who;
	struct stream *s;
	struct waiter waiter;
	struct timer deadline;
	struct task end;
	bool held;	/* not before the clock says so */
	struct why why; /* ERR_OK: it passed */
	struct pending *next, *prev;
};

const struct why pending_cut = { .cls = ERR_LOST, .text = "cut before its setup was done" };
const struct why pending_dropped = { .cls = ERR_LOST, .text = "dropped before its setup was done" };
static const struct why too_slow = { .cls = ERR_TIMEOUT, .text = "setup took too long" };
static const struct why no_memory = { .cls = ERR_LOCAL, .sys = ENOMEM, .text = "set up" };

/* Leaves the lists and the loop; what is left is the stream. */
static struct stream *let_go(struct pending *p)
{
	struct pendings *all = p->all;
	struct loop *loop = all->env->loop;
	struct stream *s = p->s;
	waiter_close(&p->waiter);
	loop_timer(loop, &p->deadline, NEVER);
	loop_forget(loop, &p->end);
	*(p->prev != NULL ? &p->prev->next : &all->first) = p->next;
	*(p->next != NULL ? &p->next->prev : &all->last) = p->prev;
	all->count--;
	mem_free(p);
	return s;
}

/* It has passed, and its hand-over is put off to the next turn. */
static bool has_passed(const struct pending *p)
{
	return p->end.queued && p->why.cls == ERR_OK;
}

/* A plain end would look like an answer of no bytes, or as if what was sent had arrived: a layer may have read it already. Where
 * TLS has an alert to send, it sees to that. */
static void fail(struct pending *p, const struct why *why)
{
	struct pendings *all = p->all;
	struct newcomer who = p->who;
	struct why copy = *why; /* it may lie in p */
	struct stream *s = let_go(p);
	all->ops->failed(all->arg, s, &who, &copy);
	stream_close(s, CLOSE_RST);
}

static void hand_over(struct pending *p)
{
	struct pendings *all = p->all;
	struct newcomer who = p->who;
	all->ops->passed(all->arg, let_go(p), &who);
}

static void end(void *arg)
{
	struct pending *p = arg;
	if (p->why.cls != ERR_OK)
		fail(p, &p->why);
	else
		hand_over(p);
}

static void end_soon(struct pending *p, const struct why *why)
{
	p->why = *why;
	waiter_rest(&p->waiter);
	loop_timer(p->all->env->loop, &p->deadline, NEVER);
	loop_later(p->all->env->loop, &p->end);
}

static void go_on(void *arg)
{
	static const struct why well = { .cls = ERR_OK };
	struct pending *p = arg;
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

static void too_late(void *arg)
{
	end_soon(arg, &too_slow);
}

static void begin(void *arg)
{
	struct pending *p = arg;
	struct loop *loop = p->all->env->loop;
	p->held = false;
	p->deadline.fn = too_late;
	loop_timer(loop, &p->deadline, loop_now(loop) + PENDING_MS);
	go_on(p);
}

static void wait_for(struct pendings *all, struct stream *s, const struct newcomer *who)
{
	struct pending *p = mem_new(sizeof *p);
	if (p == NULL) {
		stream_close(s, CLOSE_RST);
		all->ops->failed(all->arg, NULL, who, &no_memory);
		return;
	}
	p->all = all;
	p->who = *who;
	p->s = s;
	p->end = (struct task){ .fn = end, .arg = p };
	p->held = who->hold_ms > 0;
	p->deadline = (struct timer){ .fn = p->held ? begin : too_late, .arg = p };
	p->prev = all->last;
	*(all->last != NULL ? &all->last->next : &all->first) = p;
	all->last = p;
	all->count++;
	waiter_open(&p->waiter, all->env->loop, s, go_on, p);
	loop_timer(all->env->loop, &p->deadline, loop_now(all->env->loop) + (p->held ? who->hold_ms : PENDING_MS));
	if (!p->held && waiter_arm(&p->waiter, true, false) != 0)
		end_soon(p, &no_memory);
}

void pending_start(struct pendings *all, struct stream *s, const struct newcomer *who)
{
	int rc = who->hold_ms > 0 ? ST_AGAIN : stream_setup(s);
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

/* One whose setup has failed, and only waits for its turn, keeps its own reason. */
static void drop(struct pending *p)
{
	fail(p, p->end.queued && !has_passed(p) ? &p->why : &pending_dropped);
}

bool pending_drop_oldest(struct pendings *all)
{
	struct pending *p = all->first;
	while (p != NULL && has_passed(p))
		p = p->next;
	if (p == NULL)
		return false;
	drop(p);
	return true;
}

bool pending_hand_over(struct pendings *all)
{
	struct pending *p = all->first;
	while (p != NULL && !has_passed(p))
		p = p->next;
	if (p == NULL)
		return false;
	hand_over(p);
	return true;
}

void pendings_close(struct pendings *all)
{
	while (all->first != NULL)
		drop(all->first);
}

unsigned pendings_cut(struct pendings *all)
{
	unsigned lossy = 0;
	while (all->first != NULL) {
		lossy += stream_unread(all->first->s);
		fail(all->first, &pending_cut);
	}
	return lossy;
}
