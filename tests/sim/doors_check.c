/* What a history of a server tells, and what must hold when it has ended. */
#include "tests/sim/doors.h"

#include <stdlib.h>
#include <string.h>

/* What the server tells */

static struct chat_member *client_at(const char *peer)
{
	const char *colon = strrchr(peer, ':');
	unsigned i = colon != NULL ? (unsigned)atoi(colon + 1) - KERNEL_PORT : KERNEL_CONNS;
	sim_check(i < doors.clients, "an event tells of a client that there is not");
	return &doors.client[i];
}

static const char *text_of(const struct event *ev, const char *key)
{
	for (const struct ev_field *f = ev->fields; f->key != NULL; f++)
		if (strcmp(f->key, key) == 0)
			return f->text;
	return NULL;
}

/* In a full house one that has ended its side and is owed nothing gives way. */
static bool is_ghost(const struct chat_member *g)
{
	const struct conn *c = g->conn;
	bool there = g->opens > 0 && g->closes == 0 && c->state == CONN_OPEN;
	bool over = c->eof_read && c->eof_ms < doors.now_ms && c->out_n == 0;
	return there && over && doors.written[g - doors.client] == client_letters(g);
}

static void check_full(void)
{
	unsigned ghosts = 0, there = 0;
	if (doors.of->shape != CONSOLE || doors.of->in != STDIN_QUIET || doors.out_full || doors.drained)
		return;
	for (unsigned i = 0; i < doors.clients; i++) {
		there += doors.client[i].opens > doors.client[i].closes;
		ghosts += is_ghost(&doors.client[i]);
	}
	unsigned going = there > doors.of->max ? there - doors.of->max : 0; /* whose places have been given away */
	sim_check(ghosts <= going, "a client was turned away, and one that had ended kept its place");
}

void accept_emit(void *arg, const struct event *ev)
{
	(void)arg;
	doors.now_ms = loop_now(doors.run.loop);
	if (ev->kind == EV_OPEN) {
		struct chat_member *g = client_at(text_of(ev, "peer"));
		g->opens++;
		g->last = doors.drained;
		doors.opened++;
		sim_check(ev->conn <= KERNEL_CONNS, "a number that is too high");
		doors.by_conn[ev->conn] = (unsigned)(g - doors.client);
	} else if (ev->kind == EV_CLOSE) {
		doors.client[doors.by_conn[ev->conn]].closes++;
	} else if (ev->kind == EV_REJECT) {
		struct chat_member *g = client_at(text_of(ev, "peer"));
		g->rejects++;
		g->full |= ev->conn == 0;
		if (ev->conn == 0 && strcmp(text_of(ev, "reason"), "full") == 0)
			check_full();
	}
}

/* What must hold */

static bool says_ok(void)
{
	return doors.outcome.first.cls == ERR_OK && doors.outcome.signo == 0 && doors.outcome.child_status == 0;
}

static void check_delivered(const struct chat_member *g)
{
	bool echo = doors.of->shape == ECHO;
	size_t got = echo ? g->echoed : doors.written[g - doors.client], acked = client_letters(g);
	sim_check(got <= acked, "more came out than was sent");
	if (g->opens == 0 || g->broke || !says_ok() || got == acked)
		return;
	sim_fail("client %u: %zu of %zu bytes that were acknowledged have arrived, and %s", (unsigned)(g - doors.client), got,
		acked, client_well(g) ? "both ends say 0" : "the server says 0");
}

/* The end of the one client of listen has been read, unless a drain was not patient enough: nothing of it is left. */
static void check_ended(const struct chat_member *g)
{
	const struct conn *c = g->conn;
	bool ended = c->eof_read || (g->setup == SETUP_SHAKE && c->in_n == 0 && g->acked > 0);
	if (g->opens > 0 && !g->broke && says_ok() && doors.of->shape == LISTEN && !doors.drained && !doors.run_over)
		sim_check(ended, "listen says 0 before its client has ended");
}

/* What has been acknowledged at the door is seen by a server of many, unless it says why it does not serve it. */
static void check_forgotten(const struct chat_member *g)
{
	bool met = g->opens > 0 || g->rejects > 0 || g->broke || client_letters(g) == 0;
	if (says_ok() && doors.of->shape >= ECHO && doors.of->count == 0)
		sim_check(met, "a client was left at the door with what it had said, and the server says 0");
}

/* listen has its one client, --count its N, the system was told to stop at once: all else that passes is served. */
static void check_served(const struct chat_member *g)
{
	bool one_too_many =
		doors.of->shape <= LISTEN_ON ? doors.opened > 0 : doors.of->count > 0 && doors.opened >= doors.of->count;
	bool dies = doors.outcome.signo != 0;
	if (g->conn->passed && g->opens == 0 && !one_too_many && !dies && !doors.signalled_twice)
		sim_fail("client %u has passed and was turned away", (unsigned)(g - doors.client));
	sim_check(g->opens == g->closes && g->opens <= 1, "a session was not closed once");
}

static void check_run(void)
{
	const struct accept_conf *c = doors.of;
	bool by_itself = !doors.drained && !doors.run_over && (c->shape != CONSOLE || c->in != STDIN_SPEAKS);
	sim_check(c->count == 0 || doors.opened <= c->count, "more clients were served than were to be");
	if (says_ok() && c->shape == LISTEN)
		sim_check(doors.opened == 1, "listen says 0 and has served no client");
	if (says_ok() && by_itself && c->count > 0)
		sim_check(doors.opened == c->count, "--count says 0 and has not served so many");
	if (says_ok() && by_itself)
		sim_check(c->shape == LISTEN || c->count > 0, "a run has ended for no reason");
}

/* Nothing hurried it: an honest client that got in has got all, and one that came and found room got in. */
static void check_calm(const struct chat_member *g)
{
	bool spoken = doors.of->shape == CONSOLE && doors.of->in == STDIN_SPEAKS;
	bool calm = doors.finished && doors.of->shape >= ECHO && !spoken && says_ok();
	if (!calm || !client_honest(g) || g->broke || g->last || g->came_ms > DOORS_END_MS / 2)
		return;
	if (g->opens > 0)
		sim_check(client_well(g) && client_letters(g) == client_letters_all(g),
			"an honest client was not served to its end");
	else
		sim_check(g->full || g->rejects > 0 || doors.of->count > 0 || g->conn->state != CONN_QUEUED || doors.of->max > 0,
			"a client was left standing at the door");
}

void accept_check(void)
{
	for (unsigned i = 0; i < doors.clients; i++) {
		check_delivered(&doors.client[i]);
		check_ended(&doors.client[i]);
		check_forgotten(&doors.client[i]);
		check_served(&doors.client[i]);
		check_calm(&doors.client[i]);
	}
	check_run();
	sim_check(kernel.open == 0 && !kernel.listens, "a descriptor was left open");
	sim_check(linger_count(doors.run.linger) == 0, "a connection still lingers");
}
