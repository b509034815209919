/* Each client is joined to a connection of its own to another address: a port forwarder, a bridge between transports.
 *
 * The client is not read before that connection is there, so none of its bytes is lost or answered if the connection fails; then
 * it is one pump between two peers. With --wait that may take as long: the client stays unread. The target has no layers but TLS:
 * all other options are about the client.
 *
 * The pump's far end is the client, or of the two the one with datagrams, because the pump can guess the end of datagrams only
 * for its far end. A datagram client gets nothing more from a target that has ended; a datagram target may answer for
 * --reply-wait after its client has ended. Two datagram ends have no end but the idle timeout. */
#include "services/service.h"

#include "pump/pump.h"
#include "dial/dial.h"
#include "dial/retry.h"
#include "session/layers.h"

#include <stdio.h>
#include <string.h>

struct forward_conf {
	bool wanted;
	struct addr to;
};

/* -4, -u and the like are about our own address. */
static int forward_hook(void *block, const char *text, struct err *e)
{
	static const struct addr_conf none;
	struct forward_conf *conf = block;
	char *word = (char *)(uintptr_t)text;
	int used = 0;
	if (addr_parse(&conf->to, &none, 0, 1, &word, &used, e) != 0)
		return -1;
	if (conf->to.kind == ADDR_FD)
		return err_set(e, ERR_USAGE, 0, "%s cannot be connected to", conf->to.text);
	conf->wanted = true;
	return 0;
}

static const struct opt rows[] = {
	{ .name = "forward",
		.kind = OPT_HOOK,
		.needs = NEEDS_DIAL,
		.arg = "ADDRESS",
		.hook = forward_hook,
		.help = "join each connection to one to ADDRESS",
		.man = "Connects to ADDRESS for each connection and joins the two: bytes, datagrams, half-closes and resets pass in "
		       "either direction. ADDRESS may be of any transport, also tls://, and says so itself; --tls, -u, -4, -6 and -U "
		       "are about the address of this end. See FORWARDING." },
	{ 0 },
};
const struct opt_group forward_opts = {
	.title = "Forwarding", .size = sizeof(struct forward_conf), .rows = rows, .with = WITH_PAYLOAD
};

struct forwarding { /* the service run's */
	const struct run *far;
	struct addr to;
};

struct forward { /* a session's */
	struct pump pump;
	struct retry *retry;  /* NULL: done */
	struct waiter waiter; /* of the client, while we dial: has it closed? */
	struct stream *target;
	struct sa peer; /* the target's address */
	char words[sizeof((struct err *)0)->what];
};

static const struct forward_conf *conf_of(const struct conf *conf)
{
	return conf_get(conf, &forward_opts);
}

static bool forward_wanted(const struct run *run)
{
	return conf_of(run->conf)->wanted;
}

static const struct addr *target_of(const struct conf *conf)
{
	return conf_of(conf)->wanted ? &conf_of(conf)->to : NULL;
}

/* --- before any client --- */

static bool same_path(const struct addr *a, const struct addr *b)
{
	return a->kind != ADDR_FD && a->kind == b->kind && a->path_len > 0 && a->path_len == b->path_len &&
	       memcmp(a->path, b->path, a->path_len) == 0;
}

static bool in_both(const char *host) /* of the two that --local listens on, and which localhost is */
{
	return strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0;
}

static bool same_host(const struct addr *own, const struct addr *to)
{
	struct sa us, them;
	bool numeric = sa_parse(&them, to->host, to->port), wild = numeric && sa_any(&them); /* as a target: this host */
	bool local = strcmp(to->host, "localhost") == 0 || wild;
	if (own->any || (sa_parse(&us, own->host, own->port) && sa_any(&us)))
		return local || (numeric && sa_loopback(&them));
	if (own->loopback || in_both(own->host))
		return local || (own->loopback ? in_both(to->host) : strcmp(own->host, to->host) == 0);
	return strcmp(own->host, to->host) == 0;
}

/* Each client would come in again as the next one. Only obvious cases are refused. */
static bool is_us(const struct addr *own, const struct addr *to)
{
	if (addr_local(own) || addr_local(to))
		return same_path(own, to);
	return own->kind == to->kind && own->port == to->port && own->port != 0 && same_host(own, to);
}

static int forward_start(struct service_run *service_run, struct err *e)
{
	const struct run *run = service_run->run;
	const struct addr_conf *own = conf_get(run->conf, &addr_opts);
	struct forwarding *all = service_run->mem;
	struct sa sa;
	all->to = conf_of(run->conf)->to;
	if (own->numeric && !addr_local(&all->to) && !sa_parse(&sa, all->to.host, all->to.port))
		return err_set(e, ERR_RESOLVE, 0, "--forward %s: not a numeric address, and -n forbids asking", all->to.text);
	if (run->layers->role == ROLE_ACCEPT && is_us(run->layers->addr, &all->to))
		return err_set(e, ERR_USAGE, 0, "--forward %s: that is the address that we listen on", all->to.text);
	if (((const struct dial_conf *)conf_get(run->conf, &dial_opts))->has_path)
		return err_set(e, ERR_USAGE, 0, "--forward and a path of --source cannot be used together: it names one socket");
	if (dial_fits(run->conf, &all->to, e) != 0)
		return err_prefix(e, "--forward");
	all->far = layers_far(run, &all->to, e);
	return all->far != NULL ? 0 : -1;
}

/* --- the ends --- */

static bool is_dgram(const struct stream *s)
{
	return s->caps & ST_DGRAM;
}

/* Is the target the far end of the pump? */
static bool forward_turned(const struct session *s)
{
	const struct forward *f = s->mem;
	return is_dgram(f->target) && !is_dgram(s->stream);
}

static const char *forward_label(const struct session *s, char out[SA_TEXT])
{
	const struct forwarding *all = s->service_run->mem;
	const struct forward *f = s->mem;
	return f->peer.family == AF_UNIX ? all->to.text : sa_text(&f->peer, out);
}

/* A failure of the target is reported with its name, and resets the client: an end would look like a whole answer. */
static void forward_failed(struct session *s, const struct why *why, bool of_target)
{
	struct forward *f = s->mem;
	struct why named = *why;
	char label[SA_TEXT];
	if (of_target) {
		named.text = why_text(why, forward_label(s, label), f->words, sizeof f->words);
		named.flags &= (unsigned char)~OF_PEER;
	}
	session_end(s, END_ERROR, CLOSE_RST, &named);
}

static void on_forward_pump_over(void *arg, const struct why *why)
{
	struct session *s = arg;
	const struct forward *f = s->mem;
	const struct flow *from_client = forward_turned(s) ? &f->pump.up : &f->pump.down;
	if (why->cls != ERR_OK) {
		forward_failed(s, why, f->pump.why_near != forward_turned(s));
		return;
	}
	bool done = from_client->state != FLOW_OPEN;
	session_end(s, done ? END_PEER : END_LOCAL, done ? CLOSE_DONE : CLOSE_PLAIN, NULL);
}

/* --- joining --- */

/* How an end is passed on to this one. Most TLS servers drop their answer when they see our end. */
static uint8_t half_towards(const struct stream *to, const struct stdio_conf *conf)
{
	if (conf->half_close != HALF_CLOSE_AUTO)
		return conf->half_close == HALF_CLOSE_NO ? HALF_NO : HALF_YES;
	return to->caps & ST_NOHALF ? HALF_LATE : HALF_YES;
}

static void forward_join(struct session *s)
{
	const struct run *run = s->service_run->run;
	const struct stdio_conf *stdio = conf_get(run->conf, &stdio_opts);
	struct forward *f = s->mem;
	struct stream *near = forward_turned(s) ? s->stream : f->target, *far = forward_turned(s) ? f->target : s->stream;
	const struct pump_opts opts = {
		.peers = true,
		.half = half_towards(far, stdio),
		.near_half = half_towards(near, stdio),
		.datagram_bytes = (uint32_t)stdio->datagram_bytes,
		.reply_wait_ms = is_dgram(near)	     ? NEVER
				 : forward_turned(s) ? stdio->reply_wait_ms
						     : 0,
		.settle_ms = session_settle_ms(s),
		.events = run->events,
		.conn = s->id,
	};
	pump_start(&f->pump, run->loop, run->pool, near, far, &opts, on_forward_pump_over, s);
}

static void dial_failed(struct session *s, const struct err *e)
{
	struct forward *f = s->mem;
	const struct forwarding *all = s->service_run->mem;
	const struct why why = { e->cls, 0, 0, f->words }; /* errno's words are among them */
	bool resolved = e->cls != ERR_RESOLVE;		   /* else its errno says only that it may help to ask again */
	snprintf(f->words, sizeof f->words, "%s", e->what);
	event(s->service_run->run->events, EV_DIAL_FAIL, s->id, EV_TEXT("addr", all->to.text),
		EV_TEXT("error", resolved && e->sys != 0 ? strerror(e->sys) : e->what), EV_SOME("errno", resolved ? e->sys : 0));
	session_end(s, END_ERROR, CLOSE_RST, &why);
}

static void on_forward_dialed(void *arg, struct stream *gives, const struct sa *peer, const struct sa *local, const struct err *e)
{
	struct session *s = arg;
	struct forward *f = s->mem;
	char client[SA_TEXT], target[SA_TEXT];
	(void)local;
	f->retry = NULL;
	f->target = gives;
	f->peer = *peer;
	waiter_close(&f->waiter);
	if (s->ended)
		return;
	if (gives == NULL) {
		dial_failed(s, e);
		return;
	}
	event(s->service_run->run->events, EV_FORWARD, s->id, EV_TEXT("peer", session_label(s, client)),
		EV_TEXT("to", forward_label(s, target)));
	forward_join(s);
}

/* For a client that has reset its connection nothing is dialed. The bytes of a client that merely closed are still forwarded. */
static void on_forward_looked(void *arg)
{
	struct session *s = arg;
	struct forward *f = s->mem;
	const struct why gone = { ERR_LOST, OF_PEER, stream_error(s->stream), "receive from" };
	if (gone.sys != 0)
		session_end(s, END_ERROR, CLOSE_PLAIN, &gone);
	else
		waiter_arm(&f->waiter, false, false);
}

static int forward_open(struct session *s, struct err *e)
{
	struct forward *f = s->mem;
	const struct forwarding *all = s->service_run->mem;
	const struct retry_conf *again = conf_get(s->service_run->run->conf, &retry_opts);
	f->retry = retry_dial(all->far, &all->to, s->id, again->wait_ms, on_forward_dialed, s, e);
	if (f->retry == NULL)
		return -1;
	if (!s->dialed)
		retry_for(f->retry, &(const struct behalf){ s->peer, s->local, is_dgram(s->stream) });
	waiter_open(&f->waiter, s->service_run->run->loop, s->stream, on_forward_looked, s);
	waiter_arm(&f->waiter, false, false); /* best effort */
	return 0;
}

/* Either may still send to the other, so two streams end by themselves. Datagrams have no end. */
static void forward_drain(struct session *s)
{
	if (is_dgram(s->stream))
		session_end(s, service_run_ends_by(s->service_run), CLOSE_PLAIN, NULL);
}

static bool forward_holds(struct session *s)
{
	const struct forward *f = s->mem;
	if (f->target == NULL)
		return false; /* nothing was read yet */
	return pump_holds(&f->pump) || stream_unread(f->target) || stream_flush(f->target) != 0 || stream_unacked(f->target);
}

static void forward_close(struct session *s)
{
	struct forward *f = s->mem;
	pump_stop(&f->pump);
	waiter_close(&f->waiter);
	if (f->retry != NULL)
		retry_stop(f->retry);
	f->retry = NULL;
	if (f->target != NULL && s->why.cls == ERR_OK && s->how != CLOSE_RST)
		stream_shut(f->target); /* for close_notify */
	stream_close(f->target, (enum close_how)s->how);
	f->target = NULL;
}

const struct service service_forward = {
	.name = "forward",
	.is = WITH_FORWARD,
	.needs = COSTLY,
	.run_bytes = sizeof(struct forwarding),
	.session_bytes = sizeof(struct forward),
	.descriptors = 1,
	.wanted = forward_wanted,
	.dials = target_of,
	.start = forward_start,
	.open = forward_open,
	.drain = forward_drain,
	.holds = forward_holds,
	.close = forward_close,
};
