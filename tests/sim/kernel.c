#include "tests/sim/kernel.h"

#include "tests/sim/sim.h"

#include <errno.h>
#include <string.h>

struct kernel kernel;

static int failed(int sys)
{
	errno = sys;
	return -1;
}

static int fd_of(const struct conn *c)
{
	return KERNEL_CONN_FD + (int)(c - kernel.conn);
}

struct conn *kernel_conn(int fd)
{
	int i = fd - KERNEL_CONN_FD;
	return i >= 0 && i < KERNEL_CONNS ? &kernel.conn[i] : NULL;
}

bool kernel_has(int fd)
{
	const struct conn *c = kernel_conn(fd);
	return fd == KERNEL_LISTENER_FD ? kernel.listens : c != NULL && c->state == CONN_OPEN;
}

static void tell(struct conn *c)
{
	if (c->news != NULL)
		c->news(c->arg);
}

static void set_ready(const struct conn *c)
{
	if (c->state != CONN_OPEN)
		return;
	sim_ready(fd_of(c), LOOP_IN, c->in_n > 0 || c->in_fin || c->in_rst || c->deaf);
	sim_ready(fd_of(c), LOOP_OUT, c->out_n < KERNEL_OUT || c->in_rst);
	sim_ready(fd_of(c), LOOP_END, c->in_fin || c->in_rst);
}

static void set_queue_ready(void)
{
	sim_ready(KERNEL_LISTENER_FD, LOOP_IN, kernel.listens && kernel.queued > 0);
}

void kernel_start(void)
{
	memset(&kernel, 0, sizeof kernel);
	kernel.on = true;
}

void kernel_stop(void)
{
	for (int i = 0; i < KERNEL_CONNS; i++)
		if (kernel.conn[i].state == CONN_OPEN)
			kernel_close(KERNEL_CONN_FD + i);
	if (kernel.listens)
		kernel_close(KERNEL_LISTENER_FD);
	kernel.on = false;
}

/* The client's calls */

void kernel_dial(struct conn *c)
{
	if (!kernel.listens) {
		c->state = CONN_REFUSED;
		c->got_rst = true;
		return;
	}
	c->state = CONN_QUEUED;
	kernel.queue[kernel.queued++] = (int)(c - kernel.conn);
	set_queue_ready();
}

static void answer_reset(struct conn *c)
{
	c->got_rst = true;
	c->out_n = 0;
	if (c->state == CONN_OPEN) {
		c->in_rst = true;
		sim_hang_up(fd_of(c));
		set_ready(c);
	}
}

size_t kernel_say(struct conn *c, const char *bytes, size_t n)
{
	size_t room = KERNEL_IN - c->in_n;
	if (c->got_rst || c->state == CONN_NONE || c->state == CONN_REFUSED)
		return 0;
	if (c->state == CONN_CLOSED || (c->deaf && c->out_fin)) {
		answer_reset(c);
		return 0;
	}
	if (n > room)
		n = room;
	memcpy(c->in + c->in_n, bytes, n);
	c->in_n += n;
	set_ready(c);
	return n;
}

void kernel_fin(struct conn *c)
{
	c->in_fin = true;
	set_ready(c);
}

void kernel_reset(struct conn *c)
{
	c->gone = true;
	if (c->state == CONN_NONE || c->got_rst)
		return;
	c->in_rst = true;
	c->out_n = 0;
	if (c->state == CONN_OPEN)
		sim_hang_up(fd_of(c));
	set_ready(c);
}

void kernel_leave(struct conn *c)
{
	if (c->out_n > 0) { /* closed with bytes unread */
		kernel_reset(c);
		return;
	}
	c->gone = true;
	kernel_fin(c);
}

size_t kernel_hear(struct conn *c, char *to, size_t cap)
{
	size_t n = c->out_n < cap ? c->out_n : cap;
	memcpy(to, c->out, n);
	memmove(c->out, c->out + n, c->out_n - n);
	c->out_n -= n;
	c->got_fin |= c->out_fin && c->out_n == 0 && !c->got_rst;
	set_ready(c);
	return n;
}

/* The server's calls */

int kernel_listen(void)
{
	kernel.listens = true;
	return 0;
}

int kernel_accept(void)
{
	if (kernel.queued == 0)
		return failed(EAGAIN);
	int i = kernel.queue[0];
	memmove(kernel.queue, kernel.queue + 1, sizeof kernel.queue - sizeof kernel.queue[0]);
	kernel.queued--;
	kernel.conn[i].state = CONN_OPEN;
	kernel.open++;
	if (kernel.conn[i].in_rst)
		sim_hang_up(KERNEL_CONN_FD + i);
	set_ready(&kernel.conn[i]);
	set_queue_ready();
	return KERNEL_CONN_FD + i;
}

ssize_t kernel_read(struct conn *c, const struct msghdr *m)
{
	size_t n = 0;
	for (size_t i = 0; i < m->msg_iovlen && c->in_n > n; i++) {
		size_t part = m->msg_iov[i].iov_len < c->in_n - n ? m->msg_iov[i].iov_len : c->in_n - n;
		memcpy(m->msg_iov[i].iov_base, c->in + n, part);
		n += part;
	}
	if (n > 0) {
		memmove(c->in, c->in + n, c->in_n - n);
		c->in_n -= n;
		set_ready(c);
		tell(c);
		return (ssize_t)n;
	}
	if (c->in_rst && !c->rst_read) {
		c->rst_read = true;
		return failed(ECONNRESET);
	}
	if (!c->in_fin && !c->in_rst && !c->deaf)
		return failed(EAGAIN);
	if (c->in_fin && !c->eof_read) {
		c->eof_read = true;
		c->eof_ms = kernel.now_ms != NULL ? *kernel.now_ms : 0;
	}
	return 0;
}

ssize_t kernel_write(struct conn *c, const struct msghdr *m)
{
	size_t n = 0;
	if (c->in_rst || c->out_fin)
		return failed(c->out_fin ? EPIPE : ECONNRESET);
	if (c->out_n == KERNEL_OUT)
		return failed(EAGAIN);
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		size_t room = KERNEL_OUT - c->out_n, part = m->msg_iov[i].iov_len < room ? m->msg_iov[i].iov_len : room;
		memcpy(c->out + c->out_n, m->msg_iov[i].iov_base, part);
		c->out_n += part;
		n += part;
	}
	if (c->gone)
		answer_reset(c);
	set_ready(c);
	tell(c);
	return (ssize_t)n;
}

size_t kernel_unsent(const struct conn *c)
{
	return c->out_n > KERNEL_OUT / 2 ? c->out_n - KERNEL_OUT / 2 : 0;
}

static void send_fin(struct conn *c)
{
	c->out_fin = true;
	c->got_fin |= c->out_n == 0 && !c->got_rst;
}

int kernel_shutdown(struct conn *c, int how)
{
	if (c->in_rst)
		return failed(ENOTCONN);
	c->deaf |= how != SHUT_WR;
	if (how != SHUT_RD)
		send_fin(c);
	set_ready(c);
	tell(c);
	return 0;
}

static void reset_client(struct conn *c)
{
	c->out_n = 0;
	c->got_rst |= !c->got_fin || !c->in_fin; /* an end both ways is one */
}

static void close_conn(struct conn *c)
{
	sim_ready(fd_of(c), LOOP_IN | LOOP_OUT | LOOP_END, false);
	c->state = CONN_CLOSED;
	kernel.open--;
	if (c->in_n > 0 || c->resets)
		reset_client(c);
	else
		send_fin(c);
	tell(c);
}

static void close_listener(void)
{
	kernel.listens = false;
	sim_ready(KERNEL_LISTENER_FD, LOOP_IN, false);
	for (int i = 0; i < kernel.queued; i++) {
		struct conn *c = &kernel.conn[kernel.queue[i]];
		c->state = CONN_CLOSED;
		c->got_rst = true;
		tell(c);
	}
	kernel.queued = 0;
}

int kernel_close(int fd)
{
	struct conn *c = kernel_conn(fd);
	if (fd == KERNEL_LISTENER_FD && kernel.listens)
		close_listener();
	else if (c != NULL && c->state == CONN_OPEN)
		close_conn(c);
	else
		return failed(EBADF);
	return 0;
}
