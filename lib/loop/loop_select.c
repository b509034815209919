/* select(): on every system, fast for one connection and up to a few hundred. Two master sets, copied for each wait.
 *
 * select cannot report a hang-up without reading, so descriptors that are watched only for that are polled once a second. */
#include "base/mem.h"
#include "base/sys.h"
#include "loop/loop.h"

#include <limits.h>

#ifndef POLLRDHUP
#define POLLRDHUP 0 /* poll reports POLLHUP instead (macOS), or nothing */
#endif

enum { HUP_EVERY_MS = 1000 };

struct select_loop {
	fd_set in, out, hup; /* hup: watched for nothing else, or for the peer's end */
	fd_set end;	     /* of hup: those watched for the peer's end */
	int top;	     /* highest descriptor in any set; -1: none */
	int hups;
	int64_t hup_asked_ms;
};

/* musl's FD_ macros shift by an unsigned count and warn about anything else. */
static bool loop_select_has(const fd_set *set, int fd)
{
	return FD_ISSET((size_t)fd, set);
}

static void loop_select_put(fd_set *set, int fd, bool in)
{
	if (in)
		FD_SET((size_t)fd, set);
	else
		FD_CLR((size_t)fd, set);
}

static void *select_open(struct err *e)
{
	struct select_loop *l = mem_new(sizeof *l);
	if (l == NULL) {
		err_set(e, ERR_LOCAL, ENOMEM, "start the event loop");
		return NULL;
	}
	FD_ZERO(&l->in);
	FD_ZERO(&l->out);
	FD_ZERO(&l->hup);
	FD_ZERO(&l->end);
	l->top = -1;
	return l;
}

static int select_set(void *state, int fd, unsigned want, struct err *e)
{
	struct select_loop *l = state;
	if (fd >= FD_SETSIZE)
		return err_set(e, ERR_LOCAL, EMFILE, "watch descriptor %d with select", fd);
	bool hup = (want & ~(unsigned)LOOP_END) == LOOP_HUP;
	l->hups += hup - loop_select_has(&l->hup, fd);
	loop_select_put(&l->in, fd, want & LOOP_IN);
	loop_select_put(&l->out, fd, want & LOOP_OUT);
	loop_select_put(&l->hup, fd, hup);
	loop_select_put(&l->end, fd, hup && (want & LOOP_END));
	if (want != 0 && fd > l->top)
		l->top = fd;
	while (l->top >= 0 && !loop_select_has(&l->in, l->top) && !loop_select_has(&l->out, l->top) &&
		!loop_select_has(&l->hup, l->top))
		l->top--;
	return 0;
}

static void select_ask_hups(struct select_loop *l, struct loop *loop)
{
	for (int fd = 0; fd <= l->top; fd++) {
		struct pollfd p = { .fd = fd, .events = loop_select_has(&l->end, fd) ? POLLRDHUP : 0 };
		if (loop_select_has(&l->hup, fd) && sys_poll(&p, 1, 0) > 0)
			loop_ready(loop, fd,
				(p.revents & POLLRDHUP ? LOOP_END : 0u) | (p.revents & (POLLHUP | POLLERR) ? LOOP_HUP : 0u));
	}
}

static int select_wait(void *state, struct loop *loop, int64_t until_ms, struct err *e)
{
	struct select_loop *l = state;
	int64_t now_ms = loop_now(loop);
	bool ask = false;
	if (l->hups > 0 && until_ms >= l->hup_asked_ms + HUP_EVERY_MS) {
		until_ms = l->hup_asked_ms + HUP_EVERY_MS;
		ask = true;
	}
	struct timeval tv = { 0 };
	if (until_ms > now_ms) {
		int64_t ms = until_ms - now_ms;
		if (ms > INT_MAX)
			ms = INT_MAX;
		tv.tv_sec = (time_t)(ms / 1000);
		tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	}
	fd_set in = l->in, out = l->out;
	int n = sys_select(l->top + 1, &in, &out, until_ms == NEVER ? NULL : &tv);
	if (n < 0 && errno != EINTR)
		return err_set(e, errno == ENOMEM ? ERR_LOCAL : ERR_BUG, errno, "select");
	bool quiet = n <= 0;
	for (int fd = 0; n > 0 && fd <= l->top; fd++) {
		unsigned bits = (loop_select_has(&in, fd) ? LOOP_IN : 0u) | (loop_select_has(&out, fd) ? LOOP_OUT : 0u);
		if (bits != 0) {
			loop_ready(loop, fd, bits);
			n -= (bits & LOOP_IN ? 1 : 0) + (bits & LOOP_OUT ? 1 : 0);
		}
	}
	if (ask && (quiet || now_ms >= until_ms)) { /* after that second, or at once if the loop was busy all through it */
		select_ask_hups(l, loop);
		l->hup_asked_ms = until_ms > now_ms ? until_ms : now_ms;
	}
	return 0;
}

static void select_close(void *state)
{
	mem_free(state);
}

const struct loop_backend loop_select = {
	.name = "select",
	.open = select_open,
	.set = select_set,
	.wait = select_wait,
	.close = select_close,
};
