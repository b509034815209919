/* Connections that only wait for an orderly close: half-close, read and drop to EOF or the deadline, close. */
#include "stream/linger.h"
#include "base/list.h"
#include "base/mem.h"
#include "stream/fdstream.h"
#include "stream/waiter.h"

struct goer {
	struct lingers *all;
	struct stream *s;
	struct waiter waiter;
	struct timer deadline;
	struct task sweep, more;
	bool shut, over;
	struct goer *next, *prev;
};

struct lingers {
	struct loop *loop;
	struct goer *first, *last;
	unsigned count, most;
	void (*empty)(void *arg);
	void *arg;
	struct task tell;
};

static void on_linger_tell(void *arg)
{
	struct lingers *l = arg;
	void (*fn)(void *) = l->empty;
	if (l->count > 0)
		return; /* a later stream reports its own end */
	l->empty = NULL;
	if (fn != NULL)
		fn(l->arg);
}

static void goer_free(struct goer *g)
{
	struct lingers *l = g->all;
	waiter_close(&g->waiter);
	loop_timer(l->loop, &g->deadline, NEVER);
	loop_forget(l->loop, &g->sweep);
	loop_forget(l->loop, &g->more);
	stream_close(g->s, CLOSE_PLAIN);
	LIST_REMOVE(l, g);
	mem_free(g);
	if (--l->count == 0 && l->empty != NULL)
		loop_later(l->loop, &l->tell);
}

static void on_goer_sweep(void *arg)
{
	goer_free(arg);
}

static void on_goer_deadline(void *arg)
{
	struct goer *g = arg;
	g->over = true;
	waiter_rest(&g->waiter);
	loop_forget(g->all->loop, &g->more);
	loop_later(g->all->loop, &g->sweep);
}

/* A bounded number of reads a turn: a peer that floods us during the close must not block the others. */
static void on_goer_turn(void *arg)
{
	struct goer *g = arg;
	char dropped[16384];
	int rc = g->shut ? 0 : stream_shut(g->s);
	if (rc == 0)
		g->shut = true;
	ssize_t n = ST_AGAIN;
	for (int i = 0; i < 16 && rc != ST_FAIL; i++)
		if ((n = stream_read(g->s, dropped, sizeof dropped)) <= 0 && n != ST_EMPTY)
			break;
	if (rc == ST_FAIL || n == ST_FAIL || (n == 0 && g->shut)) {
		on_goer_deadline(g);
		return;
	}
	bool more = n > 0 || n == ST_EMPTY; /* a layer may hold bytes that no descriptor reports */
	if (more)
		loop_later(g->all->loop, &g->more);
	if (waiter_arm(&g->waiter, n != 0 && !more, rc == ST_AGAIN) != 0)
		on_goer_deadline(g);
}

struct lingers *linger_open(struct loop *loop)
{
	struct lingers *l = mem_new(sizeof *l);
	if (l == NULL)
		return NULL;
	l->loop = loop;
	l->most = LINGER_MOST;
	l->tell = (struct task){ .fn = on_linger_tell, .arg = l };
	return l;
}

void linger_take(struct lingers *l, struct stream *s, int64_t until_ms)
{
	struct goer *g = l->count < l->most && !(s->caps & ST_DGRAM) ? mem_new(sizeof *g) : NULL;
	if (g == NULL) {
		stream_shut(s);
		stream_close(s, CLOSE_PLAIN);
		return;
	}
	s->counters = NULL;
	g->all = l;
	g->s = s;
	g->sweep = (struct task){ .fn = on_goer_sweep, .arg = g };
	g->more = (struct task){ .fn = on_goer_turn, .arg = g };
	g->deadline = (struct timer){ .fn = on_goer_deadline, .arg = g };
	LIST_APPEND(l, g);
	l->count++;
	waiter_open(&g->waiter, l->loop, s, on_goer_turn, g);
	loop_timer(l->loop, &g->deadline, until_ms);
	on_goer_turn(g);
}

void linger_limit(struct lingers *l, unsigned most)
{
	l->most = most;
}

unsigned linger_most(const struct lingers *l)
{
	return l->most;
}

unsigned linger_count(const struct lingers *l)
{
	return l->count;
}

void linger_when_empty(struct lingers *l, void (*fn)(void *arg), void *arg)
{
	l->empty = fn;
	l->arg = arg;
	if (l->count == 0)
		loop_later(l->loop, &l->tell);
}

unsigned linger_cut(struct lingers *l)
{
	unsigned lossy = 0;
	for (; l->last != NULL; goer_free(l->last))
		lossy += !l->last->shut || stream_unsent(l->last->s) > 0;
	return lossy;
}

void linger_close(struct lingers *l)
{
	if (l == NULL)
		return;
	l->empty = NULL;
	linger_cut(l);
	loop_forget(l->loop, &l->tell);
	mem_free(l);
}
