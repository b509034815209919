/* From a stream's needs to the loop's watches. Computed anew after every try, so there is no state to keep in step. */
#include "stream/waiter.h"
#include "base/mem.h"

#include <errno.h>

static void on_waiter_call(void *arg)
{
	struct waiter *w = arg;
	w->called = true;
	w->fn(w->arg);
}

static void on_waiter_ready(void *arg, unsigned ready)
{
	struct waiter *w = arg;
	if (ready & LOOP_HUP)
		w->hup = true;
	if (ready & LOOP_END)
		w->ended = true;
	on_waiter_call(w);
}

/* Of a descriptor that is only read: its hang-up is an end of data that reading finds, and says nothing of the other. */
static void on_waiter_readable(void *arg, unsigned ready)
{
	(void)ready;
	on_waiter_call(arg);
}

void waiter_open(struct waiter *w, struct loop *loop, struct stream *s, void (*fn)(void *arg), void *arg)
{
	*w = (struct waiter){ .loop = loop, .s = s, .fn = fn, .arg = arg };
	w->r = (struct watch){ .fd = s->rfd >= 0 ? s->rfd : s->wfd, .fn = on_waiter_ready, .arg = w };
	if (w->r.fd != s->wfd)
		w->r.fn = on_waiter_readable;
	w->t = (struct timer){ .fn = on_waiter_call, .arg = w };
	if (s->waker != NULL)
		*s->waker = (struct waker){ on_waiter_call, w };
}

/* The watch for writing: the same as for reading, unless the stream writes to another descriptor. */
static struct watch *waiter_writes(struct waiter *w)
{
	if (w->r.fd == w->s->wfd)
		return &w->r;
	if (w->w == NULL && (w->w = mem_new(sizeof *w->w)) != NULL)
		*w->w = (struct watch){ .fd = w->s->wfd, .fn = on_waiter_ready, .arg = w };
	return w->w;
}

static int waiter_watch(struct waiter *w, bool in, bool out, bool hup)
{
	unsigned end = w->ends && !w->ended ? LOOP_HUP | LOOP_END : LOOP_HUP;
	unsigned r = in ? LOOP_IN : 0, o = (out ? LOOP_OUT : 0u) | (hup ? end : 0u);
	if (w->s->wfd < 0) /* shut: the descriptor is closed */
		o = 0;
	struct watch *writes = o != 0 || w->r.fd == w->s->wfd ? waiter_writes(w) : w->w;
	if (o != 0 && writes == NULL) {
		errno = ENOMEM;
		return -1;
	}
	if (writes == &w->r)
		return loop_watch(w->loop, &w->r, r | o);
	if (writes != NULL && loop_watch(w->loop, writes, o) != 0)
		return -1;
	return w->r.fd < 0 ? 0 : loop_watch(w->loop, &w->r, r);
}

int waiter_arm(struct waiter *w, bool rd, bool wr)
{
	static const struct need nothing;
	const struct need *a = rd ? &w->s->rd : &nothing, *b = wr ? &w->s->wr : &nothing;
	int64_t at_ms = NEVER;
	if (a->timed)
		at_ms = a->at_ms;
	if (b->timed && b->at_ms < at_ms)
		at_ms = b->at_ms;
	loop_timer(w->loop, &w->t, at_ms);
	bool apart = !rd || (w->s->caps & ST_PIPE);
	bool hup = apart && !wr && !w->hup && w->s->wfd >= 0;
	return waiter_watch(w, a->in || b->in, a->out || b->out, hup);
}

void waiter_rest(struct waiter *w)
{
	loop_timer(w->loop, &w->t, NEVER);
	waiter_watch(w, false, false, false);
}

void waiter_close(struct waiter *w)
{
	if (w->loop == NULL)
		return;
	loop_timer(w->loop, &w->t, NEVER);
	if (w->r.fd >= 0)
		loop_watch(w->loop, &w->r, 0);
	if (w->w != NULL) {
		loop_watch(w->loop, w->w, 0);
		mem_free(w->w);
	}
	if (w->s->waker != NULL)
		*w->s->waker = (struct waker){ 0 };
	*w = (struct waiter){ 0 };
}
