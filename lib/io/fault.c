/* The layer itself: what it stands on, which faults it has, and its end. What they do is told in fault_bytes.c and fault_dgram.c.
 *
 * Faults happen by the clock and in one way for both, when whoever uses the stream may be waiting for something else. So the
 * layer wakes it: through the waker of the stream below, or where that has none through its own. */
#include "io/fault_parts.h"

#include "base/mem.h"
#include "base/sys.h"

#include <stdio.h>

enum { LINGER_MS = 2000 };

static struct fault *self(struct stream *s)
{
	return (struct fault *)s;
}

int64_t fault_now_us(const struct fault *f)
{
	return loop_now_us(f->run->loop);
}

uint64_t fault_draw(const struct fault *f, int dir, enum fault_kind kind, uint64_t index)
{
	const struct rng_place place = { .conn = f->conn, .dir = (uint16_t)dir, .what = (uint16_t)kind, .index = index };
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

static void kicked(void *arg)
{
	const struct fault *f = arg;
	const struct waker *w = f->s.waker;
	if (w->fn != NULL)
		w->fn(w->arg); /* last: f may be gone */
}

static void clocked(void *arg)
{
	struct fault *f = arg;
	cut_clock(f);
}

void fault_send_later(struct fault *f)
{
	const struct need *need = &f->way[FAULT_OUT].need;
	loop_timer(f->run->loop, &f->send, need->timed ? need->at_ms : NEVER);
}

/* What the socket has no room for, or refuses, is for whoever waits for the stream. */
static void sends(void *arg)
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

/* An end that a fault has made is a good one on the wire: what the peer still sends must not turn it into a reset. */
static void fault_close(struct stream *s, enum close_how how)
{
	struct fault *f = self(s);
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

static const struct stream_ops bytes_ops = {
	.name = "fault",
	.readv = bytes_readv,
	.writev = bytes_writev,
	.flush = bytes_flush,
	.shut = bytes_shut,
	.close = fault_close,
};
static const struct stream_ops dgram_ops = {
	.name = "fault",
	.readv = dgram_readv,
	.writev = dgram_writev,
	.flush = dgram_flush,
	.shut = dgram_shut,
	.close = fault_close,
};

int fault_push(struct stream **top, const struct fault_run *run, uint32_t conn)
{
	struct fault *f = mem_new(sizeof *f);
	if (f == NULL)
		return -1;
	stream_push(&f->s, (*top)->caps & ST_DGRAM ? &dgram_ops : &bytes_ops, *top);
	if (f->s.waker == NULL)
		f->s.waker = &f->own;
	f->run = run;
	f->conn = conn;
	f->clock = (struct timer){ .fn = clocked, .arg = f };
	f->send = (struct timer){ .fn = sends, .arg = f };
	f->kick = (struct task){ .fn = kicked, .arg = f };
	*top = &f->s;
	return 0;
}

static struct fault *find(struct stream *s)
{
	while (s != NULL && s->ops != &bytes_ops && s->ops != &dgram_ops)
		s = s->below;
	return s != NULL ? self(s) : NULL;
}

static void set_buffer(const struct fault *f, const struct fault_rule *r)
{
	int bytes = (int)r->spec.a;
	int fd = stream_bottom(&f->s)->rfd;
	if (fd >= 0)
		sys_setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	fault_tell(f, &r->spec, -1, UINT64_MAX, r->spec.a);
}

/* In the order in which they were given. */
static void add(struct fault *f, struct fault_rule *rule)
{
	struct fault_rule **at = &f->rules;
	while (*at != NULL)
		at = &(*at)->next;
	*at = rule;
	rule->at_ms = loop_now(f->run->loop) + rule->spec.a;
	rule->base[FAULT_IN] = f->s.caps & ST_DGRAM ? f->way[FAULT_IN].arrived : f->way[FAULT_IN].passed;
	rule->base[FAULT_OUT] = f->way[FAULT_OUT].arrived;
	if (rule->spec.kind == FAULT_SLOW_CLOSE)
		f->slow = rule;
	if (rule->spec.kind == FAULT_RCVBUF)
		set_buffer(f, rule);
	for (int dir = 0; dir < FAULT_WAYS; dir++)
		if (rule->spec.dirs & 1U << dir) {
			shape_rule(f, rule, dir);
			cut_look(f, dir);
		}
	cut_clock(f);
}

int fault_apply(struct stream *top, const struct fault_spec *spec)
{
	struct fault *f = find(top);
	if (f == NULL || (fault_places(spec) & (f->s.caps & ST_DGRAM ? FAULT_AT_DGRAM : FAULT_AT_STREAM)) == 0) {
		errno = f == NULL ? ENOENT : EINVAL;
		return -1;
	}
	if (!fault_concerns(spec, f->run->seed, f->conn))
		return 0;
	struct fault_rule *rule = mem_new(sizeof *rule);
	if (rule == NULL) {
		errno = ENOMEM;
		return -1;
	}
	rule->spec = *spec;
	add(f, rule);
	fault_wake(f); /* what somebody waits for may be another thing now */
	return 0;
}

int64_t fault_patience_ms(const struct stream *top)
{
	const struct fault *f = find((struct stream *)(uintptr_t)top);
	if (f == NULL)
		return 0;
	const struct fault_way *w = &f->way[FAULT_OUT];
	int64_t ms = f->slow != NULL ? f->slow->spec.a : 0;
	ms += w->latency != NULL ? w->latency->spec.a + w->latency->spec.b : 0;
	return ms + (w->rate != NULL ? (int64_t)w->held * 1000 / w->rate->spec.a : 0);
}
