/* The loop itself: the watches, the next timer, deferred tasks. Backends wait; this file decides and calls.
 *
 * Slots are indexed by descriptor and hold the chain of its watches, usually one. A slot's generation changes when its last watch
 * goes, so readiness collected earlier cannot reach the next owner of that number. Timers are a binary heap of pointers; a timer
 * knows its place, so cancelling needs no search. */
#include "loop/loop.h"
#include "base/mem.h"
#include "base/sys.h"
#include "loop/signal.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

struct slot {
	struct watch *first;
	unsigned want; /* as set in the backend */
	uint32_t gen;
};

struct ready {
	int fd;
	unsigned bits;
	uint32_t gen;
};

struct loop {
	const struct loop_backend *backend;
	void *state;
	struct slot *slots;
	size_t slots_n;
	struct ready *ready;
	size_t ready_n, ready_cap;
	struct timer **heap; /* heap[0] is unused: places are 1-based */
	size_t timers, heap_cap;
	struct task *tasks, **tasks_end;
	struct task marker; /* the end of this turn's tasks while they run */
	size_t watching;    /* slots with a watch */
	int64_t now_us, now_ms;
	bool stop;
};

enum {
	SELECT_COMFORT = 256,
	READY_LEAST = 64,
	HEAP_LEAST = 64 /* without memory a run still keeps so many deadlines */
};

const struct loop_backend *loop_pick(const struct loop_conf *conf, size_t fds, struct err *e)
{
	const struct loop_backend *other = NULL;
#ifdef __linux__
	other = &loop_epoll;
#endif
	if (conf->backend == 2 && other == NULL) {
		err_set(e, ERR_USAGE, 0, "--loop: this system has no epoll; use select");
		return NULL;
	}
	if (conf->backend == 2 || (conf->backend == 0 && other != NULL && fds > SELECT_COMFORT))
		return other;
	if (fds > FD_SETSIZE) {
		err_set(e, ERR_USAGE, 0, "--loop select holds %d descriptors, this run may need %zu; lower --max%s", FD_SETSIZE,
			fds, other != NULL ? " or use --loop epoll" : "");
		return NULL;
	}
	return &loop_select;
}

const char *loop_backends(void)
{
#ifdef __linux__
	return "select epoll";
#else
	return "select";
#endif
}

static void loop_clock(struct loop *loop)
{
	struct timespec ts;
	if (loop->backend->now != NULL) {
		loop->now_ms = loop->backend->now(loop->state);
		loop->now_us = loop->now_ms * 1000;
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &ts);
	loop->now_us = (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
	loop->now_ms = loop->now_us / 1000;
}

struct loop *loop_open(const struct loop_backend *backend, struct err *e)
{
	struct loop *loop = mem_new(sizeof *loop);
	if (loop == NULL) {
		err_set(e, ERR_LOCAL, ENOMEM, "start the event loop");
		return NULL;
	}
	loop->backend = backend;
	loop->tasks_end = &loop->tasks;
	loop->heap = mem_new(HEAP_LEAST * sizeof *loop->heap);
	loop->heap_cap = HEAP_LEAST;
	loop->ready = mem_new(READY_LEAST * sizeof *loop->ready); /* without any room nothing would ever be called */
	loop->ready_cap = READY_LEAST;
	bool all = loop->heap != NULL && loop->ready != NULL;
	if (!all)
		err_set(e, ERR_LOCAL, ENOMEM, "start the event loop");
	loop->state = all ? backend->open(e) : NULL;
	if (loop->state == NULL) {
		mem_free(loop->ready);
		mem_free(loop->heap);
		mem_free(loop);
		return NULL;
	}
	loop_clock(loop);
	return loop;
}

void loop_close(struct loop *loop)
{
	if (loop == NULL)
		return;
	signal_close(loop);
	loop->backend->close(loop->state);
	mem_free(loop->slots);
	mem_free(loop->ready);
	mem_free(loop->heap);
	mem_free(loop);
}

int64_t loop_now(const struct loop *loop)
{
	return loop->now_ms;
}

int64_t loop_now_us(const struct loop *loop)
{
	return loop->now_us;
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}

/* Watches */

static int slots_reach(struct loop *loop, int fd)
{
	size_t need = (size_t)fd + 1;
	if (need <= loop->slots_n)
		return 0;
	size_t n = loop->slots_n * 2 > need ? loop->slots_n * 2 : need + 32;
	struct slot *more = mem_grow(loop->slots, n * sizeof *more);
	if (more == NULL) {
		errno = ENOMEM;
		return -1;
	}
	memset(more + loop->slots_n, 0, (n - loop->slots_n) * sizeof *more);
	loop->slots = more;
	loop->slots_n = n;
	return 0;
}

static void slot_unlink(struct slot *s, struct watch *w)
{
	for (struct watch **at = &s->first; *at != NULL; at = &(*at)->twin)
		if (*at == w) {
			*at = w->twin;
			w->twin = NULL;
			return;
		}
}

int loop_watch(struct loop *loop, struct watch *w, unsigned want)
{
	if (want == w->want)
		return 0;
	if (w->fd < 0) {
		errno = EBADF;
		return -1;
	}
	if (slots_reach(loop, w->fd) != 0)
		return -1;
	struct slot *s = &loop->slots[w->fd];
	unsigned old = w->want;
	if (old == 0) {
		loop->watching += s->first == NULL;
		w->twin = s->first;
		s->first = w;
	}
	w->want = want;
	unsigned all = 0;
	for (const struct watch *i = s->first; i != NULL; i = i->twin)
		all |= i->want;
	struct err e = { 0 };
	if (all != s->want && loop->backend->set(loop->state, w->fd, all, &e) != 0) {
		w->want = old;
		if (old == 0) {
			slot_unlink(s, w);
			loop->watching -= s->first == NULL;
		}
		errno = e.sys;
		return -1;
	}
	s->want = all;
	if (want == 0) {
		slot_unlink(s, w);
		if (s->first == NULL) {
			s->gen++;
			loop->watching--;
		}
	}
	return 0;
}

void loop_ready(struct loop *loop, int fd, unsigned bits)
{
	if (loop->ready_n == loop->ready_cap) {
		size_t cap = loop->ready_cap * 2;
		struct ready *more = mem_grow(loop->ready, cap * sizeof *more);
		if (more == NULL)
			return; /* level-triggered: it is reported again next turn, after the earlier ones */
		loop->ready = more;
		loop->ready_cap = cap;
	}
	loop->ready[loop->ready_n++] = (struct ready){ fd, bits, loop->slots[fd].gen };
}

static bool slot_has(const struct slot *s, const struct watch *w)
{
	const struct watch *i = s->first;
	while (i != NULL && i != w)
		i = i->twin;
	return i != NULL;
}

/* A hang-up counts as any wanted event: a pipe whose writer left can be read to its EOF, and reports only HUP. */
static void watch_call(struct loop *loop, struct watch *w, unsigned bits)
{
	unsigned got = (bits & LOOP_HUP) ? w->want | LOOP_HUP : bits & w->want;
	if (got == 0)
		return;
	if ((w->want & ~(unsigned)LOOP_END) == LOOP_HUP)
		loop_watch(loop, w, 0); /* report it once, or the backend would for ever */
	w->fn(w->arg, got);
}

static void loop_dispatch(struct loop *loop)
{
	enum { SHARERS = 4 };
	for (size_t i = 0; i < loop->ready_n; i++) {
		struct ready r = loop->ready[i];
		struct watch *list[SHARERS];
		size_t n = 0;
		for (struct watch *w = loop->slots[r.fd].first; w != NULL && n < SHARERS; w = w->twin)
			list[n++] = w;
		for (size_t k = 0; k < n && loop->slots[r.fd].gen == r.gen; k++)
			if (slot_has(&loop->slots[r.fd], list[k])) /* an earlier callback may have removed it */
				watch_call(loop, list[k], r.bits);
	}
	loop->ready_n = 0;
}

/* Timers */

static void heap_put(struct loop *loop, size_t pos, struct timer *t)
{
	loop->heap[pos] = t;
	t->pos = pos;
}

static void heap_sift(struct loop *loop, size_t pos, struct timer *t)
{
	while (pos > 1 && loop->heap[pos / 2]->at_ms > t->at_ms) {
		heap_put(loop, pos, loop->heap[pos / 2]);
		pos /= 2;
	}
	for (size_t child; (child = pos * 2) <= loop->timers; pos = child) {
		if (child < loop->timers && loop->heap[child + 1]->at_ms < loop->heap[child]->at_ms)
			child++;
		if (loop->heap[child]->at_ms >= t->at_ms)
			break;
		heap_put(loop, pos, loop->heap[child]);
	}
	heap_put(loop, pos, t);
}

static void timer_remove(struct loop *loop, struct timer *t)
{
	size_t pos = t->pos;
	t->pos = 0;
	struct timer *last = loop->heap[loop->timers--];
	if (last != t)
		heap_sift(loop, pos, last);
}

void loop_timer(struct loop *loop, struct timer *t, int64_t at_ms)
{
	if (at_ms == NEVER) {
		if (t->pos != 0)
			timer_remove(loop, t);
		return;
	}
	t->at_ms = at_ms > loop->now_ms ? at_ms : loop->now_ms; /* never before timers that are due already */
	if (t->pos == 0) {
		if (loop->timers + 2 > loop->heap_cap) {
			size_t cap = loop->heap_cap * 2;
			struct timer **more = mem_grow(loop->heap, cap * sizeof *more);
			if (more == NULL)
				return; /* a missed deadline is better than an ended run */
			loop->heap = more;
			loop->heap_cap = cap;
		}
		t->pos = ++loop->timers;
	}
	heap_sift(loop, t->pos, t);
}

static void loop_expire(struct loop *loop)
{
	/* Only the present ones: a timer set again for now runs after the next wait. */
	for (size_t n = loop->timers; n > 0 && loop->timers > 0 && loop->heap[1]->at_ms <= loop->now_ms; n--) {
		struct timer *t = loop->heap[1];
		timer_remove(loop, t);
		t->fn(t->arg);
	}
}

/* Tasks */

void loop_later(struct loop *loop, struct task *t)
{
	if (t->queued)
		return;
	t->queued = true;
	t->next = NULL;
	*loop->tasks_end = t;
	loop->tasks_end = &t->next;
}

void loop_forget(struct loop *loop, struct task *t)
{
	if (!t->queued)
		return;
	struct task **at = &loop->tasks;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	if (loop->tasks_end == &t->next)
		loop->tasks_end = at;
	t->queued = false;
}

/* Tasks deferred while these run wait for the next turn, after the marker. */
static void loop_tasks(struct loop *loop)
{
	loop_later(loop, &loop->marker);
	for (struct task *t; (t = loop->tasks) != &loop->marker;) {
		loop_forget(loop, t);
		t->fn(t->arg);
	}
	loop_forget(loop, &loop->marker);
}

int loop_run(struct loop *loop, struct err *e)
{
	loop->stop = false;
	for (;;) {
		loop_clock(loop);
		loop_tasks(loop);
		if (loop->stop)
			return 0;
		int64_t until_ms = loop->timers > 0 ? loop->heap[1]->at_ms : NEVER;
		if (loop->tasks != NULL)
			until_ms = loop->now_ms;
		if (until_ms == NEVER && loop->watching == 0)
			return err_set(e, ERR_BUG, 0, "nothing is left to wait for");
		if (loop->backend->wait(loop->state, loop, until_ms, e) != 0)
			return -1;
		if (sys_called_off)
			return 0;
		loop_clock(loop);
		loop_dispatch(loop);
		loop_expire(loop);
	}
}
