/* Faults of a listening socket: it is bound and does not listen for a while, it listens and never accepts, or its queue is full.
 *
 * A full queue needs no privilege: the shortest one of the system (backlog 0, which holds one or two) is filled with connections
 * of our own, which are never accepted. From then on the system drops further connections, so a client gets no answer, as from an
 * absent host; a Unix socket's clients wait. */
#include "server/server_internal.h"

#include "base/sys.h"
#include "fault/fault_opts.h"

#include <string.h>

enum { OWN_TRIES = LISTEN_FAULT_OWN / 4 /* of one listener: more than the shortest queue of any known system */ };

/* Is the new connection open by now, or does it wait? Loopback answers at once. */
static bool asked_in(int fd, const struct sockaddr *sa, socklen_t len)
{
	if (sys_connect(fd, sa, len) == 0)
		return true;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	return errno == EINPROGRESS && sys_poll(&p, 1, 0) > 0;
}

static int listen_fault_fill(struct server *s, const struct listener *l, struct err *e)
{
	struct listen_fault *f = &s->fault;
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof ss;
	if (sys_listen(l->fd, s->listeners.backlog) != 0 || getsockname(l->fd, (struct sockaddr *)&ss, &len) != 0)
		return err_set(e, ERR_LISTEN, errno, "--fault backlog-full");
	struct sa at = l->local;
	if (sa_any(&at)) {
		sa_parse(&at, at.family == AF_INET6 ? "::1" : "127.0.0.1", sa_port(&l->local));
		len = sa_to(&at, &ss);
	}
	for (int i = 0; i < OWN_TRIES && f->own_n < LISTEN_FAULT_OWN; i++) {
		int fd = sys_socket(ss.ss_family, SOCK_STREAM, 0);
		if (fd < 0)
			return err_set(e, ERR_LOCAL, errno, "--fault backlog-full");
		if (!asked_in(fd, (struct sockaddr *)&ss, len)) {
			sys_close(fd);
			return 0;
		}
		f->own[f->own_n++] = fd;
	}
	return err_set(e, ERR_LISTEN, 0, "--fault backlog-full: the system takes more than %d in spite of backlog 0", OWN_TRIES);
}

static int fill_all(struct server *s, struct err *e)
{
	if (faults_of(s->run, FAULT_BACKLOG_FULL, 0) == NULL)
		return 0;
	s->listeners.backlog = 0;
	for (unsigned i = 0; i < s->listeners.n; i++)
		if (listen_fault_fill(s, &s->listeners.v[i], e) != 0)
			return -1;
	return 0;
}

static void on_listen_delay_over(void *arg)
{
	struct server *s = arg;
	struct err e = { 0 };
	if (s->closed)
		return;
	s->fault.deaf = s->fault.never;
	if (listeners_listen(&s->listeners, &e) == 0 && fill_all(s, &e) == 0) {
		accept_update(s);
		return;
	}
	run_fail(s->run, &e);
	server_no_more(s);
}

int listen_fault_open(struct server *s, struct err *e)
{
	static const enum fault_kind kinds[] = { FAULT_REFUSE_FOR, FAULT_NO_ACCEPT, FAULT_BACKLOG_FULL };
	struct listen_fault *f = &s->fault;
	const struct fault_spec *refuses = faults_of(s->run, FAULT_REFUSE_FOR, 0);
	f->never = faults_of(s->run, FAULT_BACKLOG_FULL, 0) != NULL || faults_of(s->run, FAULT_NO_ACCEPT, 0) != NULL;
	f->deaf = f->never || refuses != NULL;
	f->listen = (struct timer){ .fn = on_listen_delay_over, .arg = s };
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		const struct fault_spec *spec = faults_of(s->run, kinds[i], 0);
		if (spec != NULL)
			faults_tell(s->run, spec, 0);
	}
	if (refuses == NULL)
		return fill_all(s, e);
	if (s->listeners.n > 0 && s->listeners.v[0].inherited)
		return err_set(e, ERR_USAGE, 0, "--fault refuse-for: a socket that was inherited listens already");
	loop_timer(s->run->loop, &f->listen, loop_now(s->run->loop) + refuses->a);
	return 0;
}

void listen_fault_close(struct server *s)
{
	loop_timer(s->run->loop, &s->fault.listen, NEVER);
	while (s->fault.own_n > 0)
		sys_close(s->fault.own[--s->fault.own_n]);
}

bool listen_fault_resets(const struct server *s, int fd, const struct accepted *who)
{
	static const struct linger reset = { .l_onoff = 1 };
	const struct fault_spec *spec = faults_of(s->run, FAULT_ACCEPT_RST, who->id);
	if (spec == NULL)
		return false;
	faults_tell(s->run, spec, who->id);
	sys_setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	sys_close(fd);
	return true;
}

int64_t listen_fault_holds_ms(const struct server *s, const struct accepted *who)
{
	const struct fault_spec *spec = NULL;
	int64_t ms = 0;
	while ((spec = faults_next(s->run, FAULT_ACCEPT_DELAY, who->id, spec)) != NULL) {
		faults_tell(s->run, spec, who->id);
		ms += spec->a;
	}
	return ms;
}
