#include "tests/sim/wraps.h"

#include "net/resolve.h"
#include "server/run_command.h"
#include "session/layers.h"
#include "tests/sim/kernel.h"
#include "tests/sim/shake.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

struct wraps wraps;

void wraps_signal(int signo)
{
	if (wraps.signal[signo].fn != NULL)
		wraps.signal[signo].fn(wraps.signal[signo].arg, signo);
}

void wraps_run_ends(int status)
{
	if (!wraps.run_command_busy)
		return;
	wraps.run_command_busy = false;
	wraps.run_command_status = status;
	wraps.run_idle(wraps.run_arg);
}

#ifdef __linux__

#define WRAPPED(type, name, ...)                                                                                                 \
	type __real_##name(__VA_ARGS__);                                                                                         \
	type __wrap_##name(__VA_ARGS__);                                                                                         \
	type __wrap_##name(__VA_ARGS__)

/* The system */

WRAPPED(int, socket, int family, int type, int protocol)
{
	return kernel.on ? KERNEL_LISTENER_FD : __real_socket(family, type, protocol);
}

WRAPPED(int, bind, int fd, const struct sockaddr *sa, socklen_t len)
{
	return kernel.on ? 0 : __real_bind(fd, sa, len);
}

WRAPPED(int, listen, int fd, int backlog)
{
	return kernel.on ? kernel_listen() : __real_listen(fd, backlog);
}

static void tell_name(struct sockaddr *sa, socklen_t *len, unsigned port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memcpy(sa, &in, sizeof in < *len ? sizeof in : *len);
	*len = sizeof in;
}

WRAPPED(int, accept4, int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	if (!kernel.on)
		return __real_accept4(fd, sa, len, flags);
	int got = kernel_accept();
	if (got >= 0 && sa != NULL)
		tell_name(sa, len, KERNEL_PORT + (unsigned)(got - KERNEL_CONN_FD));
	return got;
}

WRAPPED(int, getsockname, int fd, struct sockaddr *sa, socklen_t *len)
{
	if (!kernel.on)
		return __real_getsockname(fd, sa, len);
	tell_name(sa, len, 7);
	return 0;
}

WRAPPED(int, setsockopt, int fd, int level, int name, const void *value, socklen_t len)
{
	struct conn *c = kernel.on ? kernel_conn(fd) : NULL;
	if (!kernel.on)
		return __real_setsockopt(fd, level, name, value, len);
	if (c != NULL && level == SOL_SOCKET && name == SO_LINGER)
		c->resets = true;
	return 0;
}

WRAPPED(int, getsockopt, int fd, int level, int name, void *value, socklen_t *len)
{
	const struct conn *c = kernel.on ? kernel_conn(fd) : NULL;
	if (!kernel.on)
		return __real_getsockopt(fd, level, name, value, len);
	if (level != SOL_SOCKET || *len < sizeof(int)) {
		errno = ENOPROTOOPT;
		return -1;
	}
	int is = 0;
#ifdef SO_PROTOCOL
	is = name == SO_PROTOCOL ? IPPROTO_TCP : 0;
#endif
	is = name == SO_TYPE ? SOCK_STREAM : is;
	is = name == SO_ERROR && c != NULL && c->in_rst ? ECONNRESET : is;
	memcpy(value, &is, sizeof is);
	return 0;
}

static int poll_kernel(struct pollfd *p)
{
	const struct conn *c = kernel_conn(p->fd);
	bool in = p->fd == KERNEL_LISTENER_FD ? kernel.listens && kernel.queued > 0
					      : c != NULL && (c->in_n > 0 || c->in_fin || c->in_rst);
	p->revents = in ? POLLIN : 0;
	return in;
}

WRAPPED(int, poll, struct pollfd *p, nfds_t n, int timeout_ms)
{
	return kernel.on ? poll_kernel(p) : __real_poll(p, n, timeout_ms);
}

WRAPPED(ssize_t, recvmsg, int fd, struct msghdr *m, int flags)
{
	struct conn *c = kernel.on ? kernel_conn(fd) : NULL;
	return c != NULL ? kernel_read(c, m) : __real_recvmsg(fd, m, flags);
}

WRAPPED(ssize_t, sendmsg, int fd, const struct msghdr *m, int flags)
{
	struct conn *c = kernel.on ? kernel_conn(fd) : NULL;
	return c != NULL ? kernel_write(c, m) : __real_sendmsg(fd, m, flags);
}

WRAPPED(int, shutdown, int fd, int how)
{
	struct conn *c = kernel.on ? kernel_conn(fd) : NULL;
	return c != NULL ? kernel_shutdown(c, how) : __real_shutdown(fd, how);
}

WRAPPED(int, close, int fd)
{
	return kernel.on && kernel_has(fd) ? kernel_close(fd) : __real_close(fd);
}

int __real_ioctl(int fd, unsigned long what, ...);
int __wrap_ioctl(int fd, unsigned long what, ...);
int __wrap_ioctl(int fd, unsigned long what, ...)
{
	va_list ap;
	va_start(ap, what);
	int *n = va_arg(ap, int *);
	va_end(ap);
	const struct conn *c = kernel.on ? kernel_conn(fd) : NULL;
	if (c == NULL)
		return __real_ioctl(fd, what, n);
	*n = (int)(what == FIONREAD ? c->in_n : kernel_unsent(c));
	return 0;
}

int __real_fcntl(int fd, int what, ...);
int __wrap_fcntl(int fd, int what, ...);
int __wrap_fcntl(int fd, int what, ...)
{
	va_list ap;
	va_start(ap, what);
	long value = va_arg(ap, long);
	va_end(ap);
	return kernel.on ? 0 : __real_fcntl(fd, what, value);
}

/* Nothing is passed in the kernel: a look for what a descriptor is finds that it cannot be known. */
WRAPPED(int, fstat, int fd, void *st)
{
	return kernel.on ? -1 : __real_fstat(fd, st);
}

WRAPPED(int, isatty, int fd)
{
	return kernel.on ? 0 : __real_isatty(fd);
}

/* What a server has around it */

WRAPPED(int, loop_signal, struct loop *loop, int signo, void (*fn)(void *arg, int signo), void *arg, struct err *e)
{
	if (!kernel.on)
		return __real_loop_signal(loop, signo, fn, arg, e);
	wraps.signal[signo].fn = fn;
	wraps.signal[signo].arg = arg;
	return 0;
}

WRAPPED(int, resolve_wait, const struct run *run, const struct addr *a, struct sa *list, size_t most, struct err *e)
{
	if (!kernel.on)
		return __real_resolve_wait(run, a, list, most, e);
	return sa_parse(list, "127.0.0.1", 7) ? 1 : -1;
}

WRAPPED(struct stream *, stdfd_stream, bool reads, bool writes, struct err *e)
{
	return kernel.on ? wraps.std : __real_stdfd_stream(reads, writes, e);
}

WRAPPED(int, layers_build, struct stream **top, const struct link *link, struct err *e)
{
	if (__real_layers_build(top, link, e) != 0)
		return -1;
	return kernel.on && wraps.shake ? shake_push(top) : 0;
}

WRAPPED(int, stream_setup, struct stream *s)
{
	int rc = __real_stream_setup(s);
	struct conn *c = kernel.on && rc == 0 ? kernel_conn(s->rfd) : NULL;
	if (c != NULL)
		c->passed = true;
	return rc;
}

WRAPPED(bool, run_command_wanted, const struct conf *conf)
{
	return kernel.on ? wraps.has_run : __real_run_command_wanted(conf);
}

WRAPPED(int, run_command_take_stdin, const struct run *run, const struct addr *a, struct err *e)
{
	return kernel.on ? 0 : __real_run_command_take_stdin(run, a, e);
}

WRAPPED(struct run_command *, run_command_start, const struct run *run, const struct self_url *self_url, bool stdout_taken,
	void (*idle)(void *arg), void *arg, struct err *e)
{
	if (!kernel.on)
		return __real_run_command_start(run, self_url, stdout_taken, idle, arg, e);
	wraps.run_command_busy = true;
	wraps.run_idle = idle;
	wraps.run_arg = arg;
	return (struct run_command *)&wraps;
}

WRAPPED(bool, run_command_busy, const struct run_command *r)
{
	return kernel.on ? r != NULL && wraps.run_command_busy : __real_run_command_busy(r);
}

/* The history lets the command end then. */
WRAPPED(void, run_command_end, struct run_command *r)
{
	if (kernel.on)
		wraps.run_ended_by_us |= r != NULL && wraps.run_command_busy;
	else
		__real_run_command_end(r);
}

WRAPPED(void, run_command_kill, struct run_command *r)
{
	if (kernel.on)
		wraps.run_ended_by_us |= r != NULL && wraps.run_command_busy;
	else
		__real_run_command_kill(r);
}

WRAPPED(int, run_command_status, const struct run_command *r)
{
	return kernel.on ? wraps.run_command_status : __real_run_command_status(r);
}

WRAPPED(int, run_command_close, struct run_command *r)
{
	if (!kernel.on)
		return __real_run_command_close(r);
	if (wraps.run_command_busy)
		wraps.run_command_status = 143;
	wraps.run_command_busy = false;
	return wraps.run_command_status;
}

#endif
