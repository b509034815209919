/* epoll: its cost does not grow with idle connections. Level-triggered, as the rest of the program expects.
 *
 * Two special cases. Regular files and /dev/null are refused with EPERM: they are always ready, so they are reported at every
 * wait while wanted, and that wait does not block. HUP and ERR are reported without being wanted, so a descriptor that no watch
 * wants is removed altogether. */
#ifdef __linux__
#include "base/mem.h"
#include "base/sys.h"
#include "loop/loop.h"

#include <limits.h>
#include <string.h>
#include <sys/epoll.h>

enum { EVENTS = 256, ALWAYS_MOST = 64 };

struct epoll_loop {
	int fd;
	unsigned char *in; /* by descriptor: is it in the kernel's set? */
	size_t in_n;
	struct {
		int fd;
		unsigned want;
	} always[ALWAYS_MOST]; /* descriptors that epoll cannot hold: only stdin, stdout and --file can be such */
	size_t always_n;
	struct epoll_event events[EVENTS];
};

static void *epoll_open(struct err *e)
{
	struct epoll_loop *l = mem_new(sizeof *l);
	if (l != NULL && (l->fd = epoll_create1(EPOLL_CLOEXEC)) >= 0)
		return l;
	err_set(e, ERR_LOCAL, l == NULL ? ENOMEM : errno, "start the event loop");
	mem_free(l);
	return NULL;
}

static bool always_set(struct epoll_loop *l, int fd, unsigned want)
{
	size_t i = 0;
	while (i < l->always_n && l->always[i].fd != fd)
		i++;
	if (i == l->always_n && want == 0)
		return false;
	if (i == ALWAYS_MOST)
		return false;
	l->always[i].fd = fd;
	l->always[i].want = want;
	if (i == l->always_n)
		l->always_n++;
	if (want == 0)
		l->always[i] = l->always[--l->always_n];
	return true;
}

static int in_reach(struct epoll_loop *l, int fd)
{
	size_t need = (size_t)fd + 1;
	if (need <= l->in_n)
		return 0;
	size_t n = need * 2;
	unsigned char *more = mem_grow(l->in, n);
	if (more == NULL)
		return -1;
	memset(more + l->in_n, 0, n - l->in_n);
	l->in = more;
	l->in_n = n;
	return 0;
}

static int epoll_set(void *state, int fd, unsigned want, struct err *e)
{
	struct epoll_loop *l = state;
	if (in_reach(l, fd) != 0)
		return err_set(e, ERR_LOCAL, ENOMEM, "watch descriptor %d", fd);
	struct epoll_event ev = { .data.fd = fd };
	if (want & LOOP_IN)
		ev.events |= EPOLLIN;
	if (want & LOOP_OUT)
		ev.events |= EPOLLOUT;
	if (want & LOOP_END)
		ev.events |= EPOLLRDHUP;
	if (want == 0) {
		if (l->in[fd])
			epoll_ctl(l->fd, EPOLL_CTL_DEL, fd, &ev);
		else
			always_set(l, fd, 0);
		l->in[fd] = 0;
		return 0;
	}
	if (epoll_ctl(l->fd, l->in[fd] ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) == 0) {
		l->in[fd] = 1;
		return 0;
	}
	if (errno == EPERM && always_set(l, fd, want))
		return 0;
	return err_set(e, ERR_LOCAL, errno, "watch descriptor %d", fd);
}

static int wait_ms(const struct loop *loop, int64_t until_ms)
{
	if (until_ms == NEVER)
		return -1;
	int64_t ms = until_ms - loop_now(loop);
	return ms <= 0 ? 0 : ms > INT_MAX ? INT_MAX : (int)ms;
}

static int epoll_wait_for(void *state, struct loop *loop, int64_t until_ms, struct err *e)
{
	struct epoll_loop *l = state;
	for (size_t i = 0; i < l->always_n; i++) {
		unsigned bits = l->always[i].want & (LOOP_IN | LOOP_OUT);
		if (bits == 0)
			continue;
		loop_ready(loop, l->always[i].fd, bits);
		until_ms = INT64_MIN;
	}
	int timeout_ms = until_ms == INT64_MIN ? 0 : wait_ms(loop, until_ms);
	int n = sys_allowed(SYS_WAIT) ? epoll_wait(l->fd, l->events, EVENTS, timeout_ms) : -1;
	if (n < 0 && errno != EINTR)
		return err_set(e, errno == ENOMEM ? ERR_LOCAL : ERR_BUG, errno, "epoll_wait");
	for (int i = 0; i < n; i++) {
		uint32_t got = l->events[i].events;
		unsigned bits = (got & EPOLLIN ? LOOP_IN : 0u) | (got & EPOLLOUT ? LOOP_OUT : 0u) |
				(got & EPOLLRDHUP ? LOOP_END : 0u) | (got & (EPOLLHUP | EPOLLERR) ? LOOP_HUP : 0u);
		loop_ready(loop, l->events[i].data.fd, bits);
	}
	return 0;
}

static void epoll_close(void *state)
{
	struct epoll_loop *l = state;
	sys_close(l->fd);
	mem_free(l->in);
	mem_free(l);
}

const struct loop_backend loop_epoll = {
	.name = "epoll",
	.open = epoll_open,
	.set = epoll_set,
	.wait = epoll_wait_for,
	.close = epoll_close,
};
#else
typedef int loop_epoll_is_for_linux; /* ISO C requires a declaration in each file */
#endif
