/* Asking one port. A stream's connect is the answer already, unless it must stay open for a while; of a datagram socket
 * only a reply or an ICMP refusal says anything, so its addresses are asked one after the other, each for its own time. */
#include "net/probe_port.h"

#include "base/mem.h"
#include "base/sys.h"
#include "net/dial.h"
#include "net/race.h"
#include "net/resolve.h"

enum { LAST_MS = 250 };

struct probe_port {
	const struct probe_how *how;
	struct addr addr;
	probe_answered *answered;
	void *arg;
	size_t at; /* UDP: the address that is being asked */
	struct race *race;
	struct watch watch; /* fd -1: not connected */
	struct timer clock;
	struct task end;
	enum probe_answer answer;
	struct err err;
};

static int64_t now(const struct probe_port *p)
{
	return loop_now(p->how->env->loop);
}

static bool udp(const struct probe_port *p)
{
	return p->addr.kind == ADDR_UDP;
}

static void let_go(struct probe_port *p)
{
	struct loop *loop = p->how->env->loop;
	loop_timer(loop, &p->clock, NEVER);
	if (p->race != NULL)
		race_stop(p->race);
	p->race = NULL;
	if (p->watch.fd >= 0) {
		loop_watch(loop, &p->watch, 0);
		sys_close(p->watch.fd);
	}
	p->watch.fd = -1;
}

static int ask(struct probe_port *p, struct err *e);

static void answer(struct probe_port *p, enum probe_answer how)
{
	let_go(p);
	bool more = udp(p) && how != PROBE_OPEN && how != PROBE_HOPELESS && p->at + 1 < p->how->n;
	if (more) {
		p->at++;
		if (ask(p, &p->err) == 0)
			return;
		how = PROBE_HOPELESS;
	}
	p->answer = how;
	loop_later(p->how->env->loop, &p->end);
}

static void end(void *arg)
{
	struct probe_port *p = arg;
	p->answered(p->arg, p->addr.port, p->answer, &p->err);
	mem_free(p);
}

static void failed(struct probe_port *p, const struct err *e)
{
	bool nobody = e->sys == ECONNREFUSED || e->sys == ECONNRESET || e->sys == ENOENT;
	bool peers = e->cls == ERR_CONNECT || e->cls == ERR_TIMEOUT;
	p->err = *e;
	answer(p, !peers ? PROBE_HOPELESS : nobody ? PROBE_REFUSED : PROBE_SILENT);
}

static void failed_with(struct probe_port *p, int sys)
{
	struct err e = { 0 };
	err_set(&e, ERR_CONNECT, sys, "probe %s", p->addr.text);
	failed(p, &e);
}

static void due(void *arg)
{
	struct probe_port *p = arg;
	char span[DIAL_SPAN];
	if (p->watch.fd >= 0 && !udp(p)) {
		answer(p, PROBE_OPEN); /* it has stayed */
		return;
	}
	err_set(&p->err, ERR_TIMEOUT, 0, "probe %s: no answer within %s", p->addr.text, dial_span(p->how->limit_ms, span));
	answer(p, PROBE_SILENT);
}

static void readable(void *arg, unsigned ready)
{
	(void)ready;
	struct probe_port *p = arg;
	char dropped[4096];
	struct iovec v = { dropped, sizeof dropped };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t n = sys_recvmsg(p->watch.fd, &m, MSG_DONTWAIT, udp(p));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (udp(p) && n < 0)
		failed_with(p, errno);
	else if (udp(p))
		answer(p, PROBE_OPEN);
	else if (n <= 0) {
		err_set(&p->err, ERR_CONNECT, n < 0 ? errno : 0, "probe %s: the peer closed the connection again", p->addr.text);
		answer(p, PROBE_CLOSED);
	}
}

static int64_t deadline(const struct probe_port *p)
{
	int64_t own_ms = now(p) + p->how->limit_ms, last_ms = now(p) + LAST_MS;
	if (last_ms < p->how->until_ms)
		last_ms = p->how->until_ms;
	return own_ms < last_ms ? own_ms : last_ms;
}

static void raced(void *arg, int gives_fd, const struct err *e)
{
	struct probe_port *p = arg;
	const struct probe_how *how = p->how;
	p->race = NULL;
	p->watch.fd = gives_fd;
	if (gives_fd < 0) {
		failed(p, e);
		return;
	}
	if (!udp(p) && (how->stable_ms == 0 || addr_dgram(&p->addr))) {
		answer(p, PROBE_OPEN);
		return;
	}
	struct iovec v = { (void *)how->data, how->data_len };
	const struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	if (udp(p) && sys_sendmsg(gives_fd, &m, MSG_NOSIGNAL, true) < 0) {
		failed_with(p, errno);
		return;
	}
	loop_timer(how->env->loop, &p->clock, udp(p) ? deadline(p) : now(p) + how->stable_ms);
	if (loop_watch(how->env->loop, &p->watch, LOOP_IN) < 0) {
		err_set(&p->err, ERR_LOCAL, errno, "probe %s", p->addr.text);
		answer(p, PROBE_HOPELESS);
	}
}

static int ask(struct probe_port *p, struct err *e)
{
	const struct probe_how *how = p->how;
	struct sa list[RESOLVE_MOST];
	size_t n = udp(p) ? 1 : how->n;
	for (size_t i = 0; i < n && !addr_local(&p->addr); i++) {
		list[i] = how->list[p->at + i];
		sa_set_port(&list[i], p->addr.port);
	}
	p->race = race_start(how->env, &p->addr, list, n, raced, p, e);
	if (p->race == NULL)
		return -1;
	loop_timer(how->env->loop, &p->clock, deadline(p));
	return 0;
}

struct probe_port *probe_port_ask(
	const struct probe_how *how, const struct addr *a, probe_answered *answered, void *arg, struct err *e)
{
	struct probe_port *p = mem_new(sizeof *p);
	if (p == NULL) {
		err_set(e, ERR_LOCAL, ENOMEM, "probe %s", a->text);
		return NULL;
	}
	p->how = how;
	p->addr = *a;
	p->answered = answered;
	p->arg = arg;
	p->watch = (struct watch){ .fd = -1, .fn = readable, .arg = p };
	p->clock = (struct timer){ .fn = due, .arg = p };
	p->end = (struct task){ .fn = end, .arg = p };
	if (ask(p, e) == 0)
		return p;
	mem_free(p);
	return NULL;
}

void probe_port_stop(struct probe_port *takes)
{
	let_go(takes);
	loop_forget(takes->how->env->loop, &takes->end);
	mem_free(takes);
}
