/* Testing one port. A stream's connect is the answer, unless TLS needs a handshake or the connection must stay open for a while.
 * A datagram socket gets an answer only by a reply or an ICMP refusal, so its addresses are tested one after the other, each for
 * its own time.
 *
 * With TLS the time for an answer is that of connection and handshake together. An open TLS port gets close_notify and a wait,
 * because the peer's tickets may still be on their way and a plain close would answer them with a reset. */
#include "dial/probe_port.h"

#include "base/mem.h"
#include "base/sys.h"
#include "stream/fdstream.h"
#include "stream/waiter.h"
#include "dial/dial.h"
#include "dial/happy_eyeballs.h"
#include "net/resolve.h"
#include "session/layers.h"
#include "tls/tls.h"

#include <netinet/in.h>
#include <stdio.h>

enum { LAST_MS = 250, BYE_MS = 1000, WORDS = 400 };

struct probe_port {
	const struct probe_how *how;
	struct addr addr;
	probe_answered *answered;
	void *arg;
	size_t at; /* UDP: the address under test */
	struct happy_eyeballs *race;
	struct watch watch;    /* fd -1: not connected, or the stream has it */
	struct stream *stream; /* TLS, once connected */
	struct waiter waiter;
	struct timer clock;
	int64_t span_ms; /* the time limit */
	bool stays;	 /* it is open, and has to stay so */
	struct task more, end;
	enum probe_answer answer;
	char words[WORDS]; /* of NO_TLS and DROPPED */
	struct err err;
	struct err silent; /* UDP: of an address that gave no answer; ERR_OK: none */
};

static int64_t probe_port_now(const struct probe_port *p)
{
	return loop_now(p->how->run->loop);
}

static bool probe_port_udp(const struct probe_port *p)
{
	return p->addr.kind == ADDR_UDP;
}

static void let_go(struct probe_port *p)
{
	struct loop *loop = p->how->run->loop;
	loop_timer(loop, &p->clock, NEVER);
	if (p->race != NULL)
		happy_eyeballs_stop(p->race);
	p->race = NULL;
	if (p->watch.fd >= 0) {
		loop_watch(loop, &p->watch, 0);
		sys_close(p->watch.fd);
	}
	p->watch.fd = -1;
	waiter_close(&p->waiter);
	loop_forget(loop, &p->more);
	if (p->stream != NULL && p->answer == PROBE_OPEN)
		linger_take(p->how->run->linger, p->stream, probe_port_now(p) + BYE_MS);
	else
		stream_close(p->stream, CLOSE_PLAIN);
	p->stream = NULL;
}

static int probe_port_begin_ask(struct probe_port *p, struct err *e);

static void probe_port_answer(struct probe_port *p, enum probe_answer how)
{
	p->answer = how;
	let_go(p);
	if (how == PROBE_SILENT)
		p->silent = p->err;
	bool more = probe_port_udp(p) && how != PROBE_OPEN && how != PROBE_HOPELESS && p->at + 1 < p->how->n;
	if (more) {
		p->at++;
		if (probe_port_begin_ask(p, &p->err) == 0)
			return;
		p->answer = PROBE_HOPELESS;
	}
	if (p->silent.cls != ERR_OK && (p->answer == PROBE_REFUSED || p->answer == PROBE_UNREACHABLE)) {
		p->answer = PROBE_SILENT; /* a peer may listen at that other address */
		p->err = p->silent;
	}
	loop_later(p->how->run->loop, &p->end);
}

static void on_probe_port_end(void *arg)
{
	struct probe_port *p = arg;
	bool worded = p->answer == PROBE_NO_TLS || p->answer == PROBE_DROPPED;
	p->answered(p->arg, p->addr.port, p->answer, worded ? p->words : NULL, &p->err);
	mem_free(p);
}

/* An error is an answer of the system, if not of the peer: only where the time ran out there was none. */
static enum probe_answer answer_of(const struct err *e)
{
	if (e->cls != ERR_CONNECT && e->cls != ERR_TIMEOUT)
		return PROBE_HOPELESS;
	if (e->sys == ECONNREFUSED || e->sys == ECONNRESET || e->sys == ENOENT)
		return PROBE_REFUSED;
	return e->cls == ERR_TIMEOUT || e->sys == ETIMEDOUT ? PROBE_SILENT : PROBE_UNREACHABLE;
}

bool probe_port_no_way(const struct err *e)
{
	return e->sys == EHOSTUNREACH || e->sys == ENETUNREACH || e->sys == EHOSTDOWN || e->sys == ENETDOWN;
}

static void probe_port_failed(struct probe_port *p, const struct err *e)
{
	p->err = *e;
	probe_port_answer(p, answer_of(e));
}

static void failed_with(struct probe_port *p, int sys)
{
	struct err e = { 0 };
	bool ours = sys == EMSGSIZE || sys == ENOBUFS || sys == ENOMEM;
	err_set(&e, ours ? ERR_LOCAL : ERR_CONNECT, sys, "probe %s", p->addr.text);
	probe_port_failed(p, &e);
}

static void probe_port_hopeless(struct probe_port *p, int sys)
{
	err_set(&p->err, ERR_LOCAL, sys, "probe %s", p->addr.text);
	probe_port_answer(p, PROBE_HOPELESS);
}

/* The words are set. */
static void probe_port_unshaken(struct probe_port *p, enum probe_answer how, enum err_class cls)
{
	err_set(&p->err, cls, 0, "probe %s: %s", p->addr.text, p->words);
	probe_port_answer(p, how);
}

static void on_probe_port_due(void *arg)
{
	struct probe_port *p = arg;
	char span[DIAL_SPAN];
	dial_span(p->span_ms, span);
	if (p->stays) {
		probe_port_answer(p, PROBE_OPEN);
	} else if (p->stream != NULL) {
		snprintf(p->words, sizeof p->words, "no handshake within %s", span);
		probe_port_unshaken(p, PROBE_NO_TLS, ERR_TIMEOUT);
	} else {
		err_set(&p->err, ERR_TIMEOUT, 0, "probe %s: no answer within %s", p->addr.text, span);
		probe_port_answer(p, PROBE_SILENT);
	}
}

/* --- a connection that has to stay --- */

static void probe_port_closed(struct probe_port *p, int sys)
{
	err_set(&p->err, ERR_CONNECT, sys, "probe %s: the peer closed the connection again", p->addr.text);
	probe_port_answer(p, PROBE_CLOSED);
}

static void on_probe_port_readable(void *arg, unsigned ready)
{
	(void)ready;
	struct probe_port *p = arg;
	char dropped[4096];
	struct iovec v = { dropped, sizeof dropped };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t n = sys_recvmsg(p->watch.fd, &m, MSG_DONTWAIT, probe_port_udp(p));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (probe_port_udp(p) && n < 0)
		failed_with(p, errno);
	else if (probe_port_udp(p))
		probe_port_answer(p, PROBE_OPEN);
	else if (n <= 0)
		probe_port_closed(p, n < 0 ? errno : 0);
}

/* A peer reports an error with our part of a TLS 1.3 handshake only after it. */
static void probe_port_gone(struct probe_port *p, const struct why *why)
{
	if (why == NULL || why->cls != ERR_TLS) {
		probe_port_closed(p, why != NULL ? why->sys : 0);
		return;
	}
	why_text(why, NULL, p->words, sizeof p->words);
	probe_port_unshaken(p, PROBE_NO_TLS, ERR_TLS);
}

/* A bounded number of reads a turn. */
static void probe_port_stay(void *arg)
{
	struct probe_port *p = arg;
	char dropped[4096];
	ssize_t n = ST_AGAIN;
	for (int i = 0; i < 16 && (n = stream_read(p->stream, dropped, sizeof dropped)) > 0; i++)
		;
	if (n == 0 || n == ST_FAIL)
		probe_port_gone(p, n == 0 ? NULL : &p->stream->why);
	else if (waiter_arm(&p->waiter, n == ST_AGAIN, false) < 0)
		probe_port_hopeless(p, errno);
	else if (n > 0)
		loop_later(p->how->run->loop, &p->more);
}

static void begin_to_stay(struct probe_port *p)
{
	p->stays = true;
	loop_timer(p->how->run->loop, &p->clock, probe_port_now(p) + p->how->stable_ms);
}

/* --- TLS --- */

static void probe_port_shake(struct probe_port *p)
{
	int got = stream_setup(p->stream);
	if (got == ST_AGAIN && waiter_arm(&p->waiter, true, false) < 0) {
		probe_port_hopeless(p, errno);
	} else if (got == ST_FAIL) {
		why_text(&p->stream->why, NULL, p->words, sizeof p->words);
		probe_port_unshaken(p, tls_unheard(p->stream) ? PROBE_DROPPED : PROBE_NO_TLS, p->stream->why.cls);
	} else if (got == 0 && p->how->stable_ms == 0) {
		probe_port_answer(p, PROBE_OPEN);
	} else if (got == 0) {
		begin_to_stay(p);
		probe_port_stay(p);
	}
}

static void on_probe_port_ready(void *arg)
{
	struct probe_port *p = arg;
	if (p->stays)
		probe_port_stay(p);
	else
		probe_port_shake(p);
}

/* The timer of the connection continues. */
static void begin_to_shake(struct probe_port *p)
{
	const struct run *run = p->how->run;
	struct sa peer, local;
	const struct link link = { .run = run, .role = ROLE_DIAL, .peer = &peer, .local = &local };
	sa_of(&peer, p->watch.fd, true);
	sa_of(&local, p->watch.fd, false);
	p->stream = fdstream_socket(p->watch.fd, false);
	p->watch.fd = -1;
	if (p->stream == NULL) {
		probe_port_hopeless(p, ENOMEM);
		return;
	}
	if (layers_build(&p->stream, &link, &p->err) < 0) {
		probe_port_answer(p, PROBE_HOPELESS);
		return;
	}
	if (p->clock.at_ms > probe_port_now(p) + DIAL_SETUP_MS) {
		p->span_ms = DIAL_SETUP_MS;
		loop_timer(run->loop, &p->clock, probe_port_now(p) + p->span_ms);
	}
	waiter_open(&p->waiter, run->loop, p->stream, on_probe_port_ready, p);
	probe_port_shake(p);
}

/* --- asking --- */

static int64_t probe_port_deadline(const struct probe_port *p)
{
	int64_t own_ms = probe_port_now(p) + p->how->limit_ms, last_ms = probe_port_now(p) + LAST_MS;
	if (last_ms < p->how->until_ms)
		last_ms = p->how->until_ms;
	return own_ms < last_ms ? own_ms : last_ms;
}

static void wait_for_answer(struct probe_port *p)
{
	int64_t until_ms = probe_port_deadline(p);
	p->span_ms = until_ms - probe_port_now(p);
	loop_timer(p->how->run->loop, &p->clock, until_ms);
}

/* A datagram socket is told of a port that is closed, but of a host or a route that is not there only if it asks (Linux). */
static void hear_routers(int fd)
{
	static const int on = 1;
	(void)fd;
#ifdef IP_RECVERR
	sys_setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
#endif
#ifdef IPV6_RECVERR
	sys_setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
#endif
	(void)on;
}

static void on_probe_port_raced(void *arg, int gives_fd, const struct err *e)
{
	struct probe_port *p = arg;
	const struct probe_how *how = p->how;
	p->race = NULL;
	p->watch.fd = gives_fd;
	if (gives_fd < 0) {
		probe_port_failed(p, e);
		return;
	}
	if (p->addr.tls) {
		begin_to_shake(p);
		return;
	}
	if (!probe_port_udp(p) && (how->stable_ms == 0 || addr_dgram(&p->addr))) {
		probe_port_answer(p, PROBE_OPEN);
		return;
	}
	if (probe_port_udp(p))
		hear_routers(gives_fd);
	struct iovec v = { (void *)how->data, how->data_len };
	const struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	if (probe_port_udp(p) && sys_sendmsg(gives_fd, &m, MSG_NOSIGNAL, true) < 0) {
		failed_with(p, errno);
		return;
	}
	if (probe_port_udp(p))
		wait_for_answer(p);
	else
		begin_to_stay(p);
	if (loop_watch(how->run->loop, &p->watch, LOOP_IN) < 0)
		probe_port_hopeless(p, errno);
}

static int probe_port_begin_ask(struct probe_port *p, struct err *e)
{
	const struct probe_how *how = p->how;
	struct sa list[RESOLVE_MOST];
	size_t n = probe_port_udp(p) ? 1 : how->n;
	for (size_t i = 0; i < n && !addr_local(&p->addr); i++) {
		list[i] = how->list[p->at + i];
		sa_set_port(&list[i], p->addr.port);
	}
	p->race = happy_eyeballs_start(how->run, &p->addr, list, n, on_probe_port_raced, p, e);
	if (p->race == NULL)
		return -1;
	wait_for_answer(p);
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
	p->watch = (struct watch){ .fd = -1, .fn = on_probe_port_readable, .arg = p };
	p->clock = (struct timer){ .fn = on_probe_port_due, .arg = p };
	p->more = (struct task){ .fn = on_probe_port_ready, .arg = p };
	p->end = (struct task){ .fn = on_probe_port_end, .arg = p };
	if (probe_port_begin_ask(p, e) == 0)
		return p;
	mem_free(p);
	return NULL;
}

void probe_port_stop(struct probe_port *takes)
{
	let_go(takes);
	loop_forget(takes->how->run->loop, &takes->end);
	mem_free(takes);
}
