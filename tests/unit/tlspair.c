#include "tlspair.h"

#include "stream/linger.h"
#include "stream/waiter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct opt_group *const groups[] = { &tls_opts, &tls_client_opts, &tls_server_opts, NULL };
static const struct command command = { .name = "test", .groups = groups };
static const struct command *const commands[] = { &command, NULL };

static void emit(void *arg, const struct event *ev)
{
	struct tlspair *p = arg;
	p->shakes += ev->kind == EV_TLS;
	for (const struct ev_field *f = ev->fields; f->key != NULL; f++) {
		if (ev->kind == EV_TLS && strcmp(f->key, "verify") == 0)
			snprintf(p->verify, sizeof p->verify, "%s", f->text);
		if (ev->kind == EV_TLS && strcmp(f->key, "alpn") == 0)
			snprintf(p->alpn, sizeof p->alpn, "%s", f->text != NULL ? f->text : "");
		if (ev->kind != EV_TLS && f->text != NULL && strcmp(f->key, "text") == 0)
			snprintf(p->said, sizeof p->said, "%s", f->text);
	}
}

static void stop(void *arg)
{
	loop_stop(((struct tlspair *)arg)->loop);
}

static void party_open(struct tlspair *p, struct tlsparty *x, struct joint_end *end)
{
	*x = (struct tlsparty){ .conf = conf_new(commands, &command, NULL), .end = end };
	x->addr = (struct addr){ .kind = ADDR_TCP, .tls = true, .fd = -1, .host = "localhost", .text = "localhost:1" };
	x->run = (struct run){ .loop = p->loop,
		.pool = p->pool,
		.linger = p->linger,
		.conf = x->conf,
		.events = &p->sink,
		.outcome = &x->outcome,
		.layers = &x->layers };
	x->layers = (struct layers){ .role = x == &p->client ? ROLE_DIAL : ROLE_ACCEPT, .addr = &x->addr };
	if (x->conf == NULL)
		abort();
	double_open(&x->near, p->loop, 0, NULL, NULL);
}

void tlspair_open(struct tlspair *p, size_t block_bytes, size_t blocks)
{
	*p = (struct tlspair){ .loop = loop_open(&loop_sim, NULL), .pool = pool_open(block_bytes, blocks), .blocks = blocks };
	if (p->loop == NULL || p->pool == NULL || (p->linger = linger_open(p->loop)) == NULL)
		abort();
	p->sink = (struct event_sink){ .emit = emit, .arg = p, .level = EV_DEBUG };
	p->stop = (struct task){ .fn = stop, .arg = p };
	joint_open(&p->joint, p->loop);
	party_open(p, &p->client, &p->joint.a);
	party_open(p, &p->server, &p->joint.b);
}

void tlspair_set(struct tlsparty *x, const struct opt_group *group, const char *name, const char *text)
{
	struct err e = { 0 };
	for (const struct opt *row = group->rows; row->name != NULL; row++)
		if (strcmp(row->name, name) == 0 && conf_set(x->conf, group, row, text, &e) == 0)
			return;
	fprintf(stderr, "--%s: %s\n", name, e.what);
	abort();
}

static void party_start(struct tlsparty *x)
{
	struct err e = { 0 };
	const struct link link = { .run = &x->run, .role = x->layers.role, .conn = 1 };
	x->top = &x->end->s;
	if (tls_start(&x->run, &x->shared, &e) == 0 && tls_push(&x->top, &link, x->shared, &e) == 0)
		return;
	fprintf(stderr, "start TLS: %s\n", e.what);
	abort();
}

void tlspair_start(struct tlspair *p)
{
	const struct tls_client_conf *conf = conf_get(p->client.conf, &tls_client_opts);
	party_start(&p->server);
	if (conf->ca == NULL && !conf->insecure && conf->pins == 0)
		tlspair_set(&p->client, &tls_client_opts, "pin", tls_own_pin(p->server.shared));
	party_start(&p->client);
}

/* By pumps */

static void look(struct tlspair *p)
{
	if ((p->client.done || p->client.failed) && (p->server.done || p->server.failed))
		loop_later(p->loop, &p->stop);
}

struct way { /* of one party through a run */
	struct tlspair *pair;
	struct tlsparty *party;
	const struct pump_opts *opts;
};

static void pumped(void *arg, const struct why *why)
{
	struct way *w = arg;
	w->party->done = true;
	w->party->why = *why;
	if (w->party->why.cls == ERR_OK)
		stream_shut(w->party->top); /* as a session that ends well does */
	stream_close(w->party->top, CLOSE_PLAIN);
	w->party->top = NULL;
	look(w->pair);
}

static void set_up(void *arg)
{
	struct way *w = arg;
	struct tlsparty *x = w->party;
	int rc = stream_setup(x->top);
	if (rc == ST_AGAIN) {
		waiter_arm(&x->waiter, true, false);
		return;
	}
	waiter_close(&x->waiter);
	x->set_up = rc == 0;
	x->failed = rc != 0;
	x->why = x->top->why;
	if (x->set_up)
		pump_start(&x->pump, w->pair->loop, w->pair->pool, &x->near.s, x->top, w->opts, pumped, w);
	look(w->pair);
}

const char *tlspair_run(struct tlspair *p, const struct pump_opts *client, const struct pump_opts *server)
{
	struct way ways[] = { { p, &p->client, client }, { p, &p->server, server } };
	struct err e = { 0 };
	for (size_t i = 0; i < 2; i++) {
		waiter_open(&ways[i].party->waiter, p->loop, ways[i].party->top, set_up, &ways[i]);
		set_up(&ways[i]);
	}
	int rc = loop_run(p->loop, &e);
	pump_stop(&p->client.pump);
	pump_stop(&p->server.pump);
	if (rc != 0)
		return strstr(e.what, "spins") != NULL ? "it spins" : "it hangs";
	return p->client.near.misused != NULL ? p->client.near.misused : p->server.near.misused;
}

/* By hand */

void tlspair_turn(struct tlspair *p)
{
	struct err e = { 0 };
	loop_later(p->loop, &p->stop);
	if (loop_run(p->loop, &e) != 0)
		abort();
}

bool tlspair_shake(struct tlspair *p)
{
	int a = ST_AGAIN, b = ST_AGAIN;
	for (unsigned i = 0; i < 100000 && (a == ST_AGAIN || b == ST_AGAIN); i++) {
		a = a == ST_AGAIN ? stream_setup(p->client.top) : a;
		b = b == ST_AGAIN ? stream_setup(p->server.top) : b;
		if (a == ST_FAIL || b == ST_FAIL)
			return false;
		tlspair_turn(p);
	}
	return a == 0 && b == 0;
}

static void party_close(struct tlsparty *x)
{
	waiter_close(&x->waiter);
	stream_close(x->top, CLOSE_PLAIN);
	x->top = NULL;
	double_close(&x->near);
}

static void party_free(struct tlsparty *x)
{
	if (x->shared != NULL)
		tls_stop(&x->run, x->shared);
	conf_free(x->conf);
}

void tlspair_close(struct tlspair *p)
{
	party_close(&p->client);
	party_close(&p->server);
	linger_close(p->linger);
	loop_forget(p->loop, &p->stop);
	joint_close(&p->joint);
	if (!pool_is_whole(p->pool, p->blocks) || !loop_is_idle(p->loop)) {
		fprintf(stderr, "a block stayed lent, or something armed\n");
		abort();
	}
	party_free(&p->client);
	party_free(&p->server);
	pool_close(p->pool);
	loop_close(p->loop);
}
