/* The fault layer itself: what it stands on, which faults it has, and its end. fault_bytes.c and fault_dgram.c apply them.
 *
 * Faults happen by the clock and in both directions, also while the stream's caller waits for something else. So the layer wakes
 * the caller: through the waker of the stream below, or else through its own. */
#include "fault/fault_internal.h"

#include "base/mem.h"
#include "base/sys.h"

#include <stdio.h>

enum { LINGER_MS = 2000 };

static struct fault *fault_self(struct stream *s)
{
	return (struct fault *)s;
}

int64_t fault_now_us(const struct fault *f)
{
	return loop_now_us(f->run->loop);
}

uint64_t fault_draw(const struct fault *f, const struct fault_rule *r, int dir, uint64_t index)
{
	const struct rng_place place = {
		.conn = f->conn, .dir = (uint16_t)(dir | r->nth[dir] << 1), .what = r->spec.kind, .index = index
	};
	return rng_at(f->run->seed, &place);
}

void fault_tell(const struct fault *f, const struct fault_spec *spec, int dir, uint64_t off, int64_t value)
{
	const char *way = dir < 0 ? NULL : dir == FAULT_IN ? "in" : "out";
	bool placed = off != UINT64_MAX, dgram = f->s.caps & ST_DGRAM;
	char words[64] = "";
	if (way != NULL && placed)
		snprintf(words, sizeof words, " %s at %s %llu", way, dgram ? "datagram" : "byte", (unsigned long long)off);
	event(f->run->events, EV_FAULT, f->conn, EV_TEXT("kind", fault_name(spec)), EV_TEXT("dir", way),
		placed ? EV_NUM("off", off) : EV_TEXT("off", NULL), EV_NUM("value", value), EV_TEXT("words", words));
}

void fault_wake(struct fault *f)
{
	loop_later(f->run->loop, &f->kick);
}

static void on_fault_kicked(void *arg)
{
	const struct fault *f = arg;
	const struct waker *w = f->s.waker;
	if (w->fn != NULL)
		w->fn(w->arg); /* last: f may be gone */
}

static void on_fault_clocked(void *arg)
{
	struct fault *f = arg;
	cut_clock(f);
}

void fault_send_later(struct fault *f)
{
	const struct need *need = &f->way[FAULT_OUT].need;
	loop_timer(f->run->loop, &f->send, need->timed ? need->at_ms : NEVER);
}

/* When the socket has no room or fails, the caller that waits for the stream is told. */
static void on_fault_sends(void *arg)
{
	struct fault *f = arg;
	bool dgram = f->s.caps & ST_DGRAM;
	int rc = dgram ? dgram_send(f) : 0;
	if (!dgram)
		bytes_send(f);
	if (rc != 0 || f->way[FAULT_OUT].need.out || f->way[FAULT_OUT].end == FAULT_BROKE)
		fault_wake(f);
}

static void fault_free(struct fault *f)
{
	loop_timer(f->run->loop, &f->clock, NEVER);
	loop_timer(f->run->loop, &f->send, NEVER);
	loop_forget(f->run->loop, &f->kick);
	for (int dir = 0; dir < FAULT_WAYS; dir++)
		hold_clear(&f->way[dir]);
	for (struct fault_rule *r = f->rules, *next; r != NULL; r = next) {
		next = r->next;
		mem_free(r);
	}
	mem_free(f);
}

/* An end made by a fault is in order on the wire: bytes that the peer still sends must not turn it into a reset. */
static void fault_close(struct stream *s, enum close_how how)
{
	struct fault *f = fault_self(s);
	bool ended = f->cut == FAULT_CLOSE || f->way[FAULT_IN].over;
	if (ended && how == CLOSE_PLAIN && !f->leaving) {
		f->leaving = true;
		linger_take(f->run->linger, s, loop_now(f->run->loop) + LINGER_MS);
		return;
	}
	if (s->caps & ST_DGRAM)
		dgram_let_go(f);
	stream_close(s->below, f->cut == FAULT_RST ? CLOSE_RST : how);
	fault_free(f);
}

/* Bytes that a fault keeps for good are not meant to arrive. */
static bool bytes_hold(const struct stream *s)
{
	const struct fault *f = (const struct fault *)s;
	const struct fault_way *w = &f->way[FAULT_IN];
	return w->first != NULL && !w->stalled && !w->over && f->cut == 0;
}

static const struct stream_ops bytes_ops = {
	.name = "fault",
	.readv = bytes_readv,
	.writev = bytes_writev,
	.flush = bytes_flush,
	.last = bytes_last,
	.shut = bytes_shut,
	.holds = bytes_hold,
	.close = fault_close,
};
static const struct stream_ops dgram_ops = {
	.name = "fault",
	.readv = dgram_readv,
	.writev = dgram_writev,
	.flush = dgram_flush,
	.shut = dgram_shut,
	.sender = dgram_sender,
	.close = fault_close,
};

int fault_push(struct stream **top, struct fault_run *run, uint32_t conn)
{
	struct fault *f = mem_new(sizeof *f);
	if (f == NULL)
		return -1;
	stream_push(&f->s, (*top)->caps & ST_DGRAM ? &dgram_ops : &bytes_ops, *top);
	if (f->s.waker == NULL)
		f->s.waker = &f->own;
	f->run = run;
	f->conn = conn;
	f->way[FAULT_IN].held_all = f->way[FAULT_OUT].held_all = &run->held;
	f->clock = (struct timer){ .fn = on_fault_clocked, .arg = f };
	f->send = (struct timer){ .fn = on_fault_sends, .arg = f };
	f->kick = (struct task){ .fn = on_fault_kicked, .arg = f };
	*top = &f->s;
	return 0;
}

static struct fault *fault_find(struct stream *s)
{
	while (s != NULL && s->ops != &bytes_ops && s->ops != &dgram_ops)
		s = s->below;
	return s != NULL ? fault_self(s) : NULL;
}

static void set_buffer(struct fault *f, const struct fault_rule *r)
{
	int bytes = (int)r->spec.a;
	int fd = stream_bottom(&f->s)->rfd;
	if (fd >= 0 && (f->rcvbuf == 0 || bytes < f->rcvbuf))
		sys_setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	f->rcvbuf = f->rcvbuf == 0 || bytes < f->rcvbuf ? bytes : f->rcvbuf;
	fault_tell(f, &r->spec, -1, UINT64_MAX, r->spec.a);
}

/* In the order in which they were given. */
static void fault_append(struct fault *f, struct fault_rule *rule)
{
	struct fault_rule **at = &f->rules;
	for (; *at != NULL; at = &(*at)->next)
		for (int dir = 0; dir < FAULT_WAYS; dir++)
			if ((*at)->spec.kind == rule->spec.kind && ((*at)->spec.dirs & 1U << dir) != 0)
				rule->nth[dir] = (uint16_t)((*at)->nth[dir] + 1);
	*at = rule;
}

static void fault_add(struct fault *f, struct fault_rule *rule)
{
	fault_append(f, rule);
	rule->at_ms = loop_now(f->run->loop) + rule->spec.a;
	rule->base[FAULT_IN] = f->s.caps & ST_DGRAM ? f->way[FAULT_IN].arrived : f->way[FAULT_IN].passed;
	rule->base[FAULT_OUT] = f->way[FAULT_OUT].arrived;
	if (rule->spec.kind == FAULT_SLOW_CLOSE)
		f->slow_ms += rule->spec.a;
	if (rule->spec.kind == FAULT_RCVBUF)
		set_buffer(f, rule);
	for (int dir = 0; dir < FAULT_WAYS; dir++)
		if (rule->spec.dirs & 1U << dir) {
			shape_rule(f, rule, dir);
			cut_look(f, dir);
		}
	cut_clock(f);
}

/* A fault at a place that has been passed will not happen any more. */
static bool is_over(const struct fault *f, const struct fault_rule *r)
{
	uint64_t last = r->spec.kind == FAULT_CORRUPT_AT ? (uint64_t)r->spec.a : 0;
	for (unsigned i = 0; i < r->spec.picks_n; i++)
		last = r->spec.picks[i] > last ? r->spec.picks[i] : last;
	for (int dir = 0; dir < FAULT_WAYS; dir++) {
		const struct fault_way *w = &f->way[dir];
		bool over = r->spec.picks_n > 0 ? w->arrived - r->base[dir] >= last
						: w->passed > r->base[dir] && w->passed - r->base[dir] > last;
		if ((r->spec.dirs & 1U << dir) != 0 && !over)
			return false;
	}
	return true;
}

static bool is_placed(const struct fault_spec *spec)
{
	return spec->kind == FAULT_CORRUPT_AT || spec->picks_n > 0;
}

/* How many faults are still to happen. */
static unsigned fault_tidy(struct fault *f)
{
	unsigned n = 0;
	for (struct fault_rule **at = &f->rules, *r; (r = *at) != NULL;) {
		if (!is_placed(&r->spec) || !is_over(f, r)) {
			at = &r->next;
			n++;
			continue;
		}
		*at = r->next;
		mem_free(r);
	}
	return n;
}

/* Places count from the step, so a repeated step has other places. */
static bool holds_already(const struct fault *f, const struct fault_spec *step)
{
	const struct fault_rule *r = is_placed(step) ? NULL : f->rules;
	while (r != NULL && r->step != step)
		r = r->next;
	return r != NULL;
}

static int fault_apply_one(struct stream *top, const struct fault_spec *spec, bool step)
{
	struct fault *f = fault_find(top);
	if (f == NULL || (fault_places(spec) & (f->s.caps & ST_DGRAM ? FAULT_AT_DGRAM : FAULT_AT_STREAM)) == 0) {
		errno = f == NULL ? ENOENT : EINVAL;
		return -1;
	}
	if (!fault_concerns(spec, f->run->seed, f->conn) || (step && holds_already(f, spec)))
		return 0;
	if (fault_tidy(f) >= FAULT_RULES_MOST) {
		errno = ENOBUFS;
		return -1;
	}
	struct fault_rule *rule = mem_new(sizeof *rule);
	if (rule == NULL) {
		errno = ENOMEM;
		return -1;
	}
	rule->spec = *spec;
	rule->step = step ? spec : NULL;
	fault_add(f, rule);
	fault_wake(f); /* the caller may have to wait for something else now */
	return 0;
}

int fault_apply(struct stream *top, const struct fault_spec *spec)
{
	return fault_apply_one(top, spec, false);
}

int fault_step(struct stream *top, const struct fault_spec *spec)
{
	return fault_apply_one(top, spec, true);
}

int64_t fault_patience_ms(const struct stream *top)
{
	const struct fault *f = fault_find((struct stream *)(uintptr_t)top);
	if (f == NULL)
		return 0;
	const struct fault_way *w = &f->way[FAULT_OUT];
	return f->slow_ms + w->late_us / 1000 + (w->rate > 0 ? (int64_t)w->held * 1000 / w->rate : 0);
}
