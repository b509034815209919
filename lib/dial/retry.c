/* Rounds of dialing. A round is one dial with all its addresses, so a name is resolved anew each time: an awaited host may only
 * just be getting its address.
 *
 * A round is cut after --connect-timeout (by dial itself) or five seconds, and when the time to wait has passed. The last round
 * begins when exactly that time has passed, and gets a moment to be answered: so a server that came up late is still reached, and
 * the error is the peer's answer rather than a timeout. */
#include "dial/retry.h"

#include "base/mem.h"
#include "dial/happy_eyeballs.h"

#include <errno.h>
#include <string.h>

enum { LAST_ROUND_MS = 250 };

struct retry {
	const struct run *run;
	struct addr addr;
	uint32_t conn;
	dial_done *done;
	void *arg;
	struct dialer *dialer; /* NULL between rounds */
	struct timer clock;    /* during a round: its cut; between rounds: the next */
	struct task end;
	int64_t since_ms, until_ms, round_ms, pause_ms;
	unsigned tries;
	struct behalf client;
	bool has_client;
	struct err err;
};

static const struct opt retry_rows[] = {
	{ .name = "wait",
		.kind = OPT_MS,
		.off = offsetof(struct retry_conf, wait_ms),
		.arg = "TIME",
		.help = "try again for TIME until it connects",
		.man = "Tries to connect again and again, for TIME at most: at once, then after 20 ms, growing to 1 s, with "
		       "all addresses in each round. Reasons to try again are a refusal, an unreachable host, silence, a "
		       "name server that cannot answer now, a name that does not exist yet (-v says so), and a Unix path that is "
		       "not there yet. A round that gets no "
		       "answer is cut after --connect-timeout, or 5 seconds. The exit status is that of the last try. With "
		       "--probe it waits until at least one port is open (with --until closed: until all are closed), "
		       "and a TLS port that closes without a word is tried again, "
		       "too. With --forward each client waits so long for its target before it is reset." },
	{ 0 },
};
const struct opt_group retry_opts = {
	.title = "Trying again", .size = sizeof(struct retry_conf), .rows = retry_rows, .with = WITH_DIAL
};

int64_t retry_longer(int64_t pause_ms)
{
	int64_t longer = pause_ms == 0 ? RETRY_FIRST_MS : pause_ms * 8 / 5;
	return longer < RETRY_MOST_MS ? longer : RETRY_MOST_MS;
}

bool retry_helps(const struct err *e)
{
	if (e->cls == ERR_RESOLVE)
		return e->sys == EAGAIN;
	return (e->cls == ERR_CONNECT || e->cls == ERR_TIMEOUT) && (e->sys == 0 || happy_eyeballs_worth_again(e->sys));
}

void retry_tell(const struct run *run, uint32_t conn, const struct addr *a, const struct err *e, unsigned tries, int64_t next_ms)
{
	int sys = e->cls != ERR_RESOLVE ? e->sys : 0; /* of a lookup it says only that it may help to ask again */
	event(run->events, EV_RETRY, conn, EV_TEXT("addr", a->text), EV_TEXT("error", sys != 0 ? strerror(sys) : e->what),
		EV_NUM("try", tries), EV_SOME("errno", sys), EV_NUM("next_us", (next_ms - loop_now(run->loop)) * 1000),
		EV_NUM("next_ms", next_ms - loop_now(run->loop)));
}

static int64_t retry_now(const struct retry *r)
{
	return loop_now(r->run->loop);
}

static void count_tries(struct retry *r)
{
	char span[DIAL_SPAN];
	int64_t spent = (retry_now(r) < r->until_ms ? retry_now(r) : r->until_ms) - r->since_ms;
	int sys = r->err.sys;
	if (r->tries < 2)
		return;
	err_set(&r->err, r->err.cls, 0, "%s (%u tries in %s)", r->err.what, r->tries, dial_span(spent, span));
	r->err.sys = sys;
}

static void on_retry_end(void *arg)
{
	static const struct sa none;
	struct retry *r = arg;
	count_tries(r);
	r->done(r->arg, NULL, &none, &none, &r->err);
	mem_free(r);
}

static void round_failed(struct retry *r)
{
	if (retry_now(r) >= r->until_ms || !retry_helps(&r->err)) {
		loop_later(r->run->loop, &r->end);
		return;
	}
	r->pause_ms = retry_longer(r->pause_ms);
	int64_t next_ms = retry_now(r) + r->pause_ms < r->until_ms ? retry_now(r) + r->pause_ms : r->until_ms;
	retry_tell(r->run, r->has_client ? r->conn : 0, &r->addr, &r->err, r->tries, next_ms);
	loop_timer(r->run->loop, &r->clock, next_ms);
}

static void on_retry_dialed(void *arg, struct stream *gives, const struct sa *peer, const struct sa *local, const struct err *e)
{
	struct retry *r = arg;
	r->dialer = NULL;
	loop_timer(r->run->loop, &r->clock, NEVER);
	if (gives == NULL) {
		r->err = *e;
		round_failed(r);
		return;
	}
	r->done(r->arg, gives, peer, local, e);
	mem_free(r);
}

/* When this round is cut; dial itself applies --connect-timeout. */
static int64_t cut_at(const struct retry *r)
{
	const struct dial_conf *conf = conf_get(r->run->conf, &dial_opts);
	int64_t last_ms = retry_now(r) + LAST_ROUND_MS > r->until_ms ? retry_now(r) + LAST_ROUND_MS : r->until_ms;
	int64_t round_ms = conf->connect_ms > 0 ? NEVER : retry_now(r) + RETRY_ROUND_MS;
	return round_ms < last_ms ? round_ms : last_ms;
}

static void begin_round(struct retry *r)
{
	struct err why = { 0 };
	r->tries++;
	r->round_ms = retry_now(r);
	r->dialer = dial(r->run, &r->addr, r->conn, on_retry_dialed, r, &why);
	if (r->dialer == NULL) {
		r->err = why;
		loop_later(r->run->loop, &r->end);
		return;
	}
	if (r->has_client)
		dial_for(r->dialer, &r->client);
	if (r->until_ms > r->since_ms)
		loop_timer(r->run->loop, &r->clock, cut_at(r));
}

/* The answer of an earlier round says more than a timeout of the last one. */
static void cut_round(struct retry *r)
{
	char span[DIAL_SPAN];
	dial_stop(r->dialer);
	r->dialer = NULL;
	if (retry_now(r) < r->until_ms || r->err.cls == ERR_OK)
		err_set(&r->err, ERR_TIMEOUT, 0, "connect %s: no answer within %s", r->addr.text,
			dial_span(r->clock.at_ms - r->round_ms, span));
	round_failed(r);
}

static void on_retry_due(void *arg)
{
	struct retry *r = arg;
	if (r->dialer != NULL)
		cut_round(r);
	else
		begin_round(r);
}

struct retry *retry_dial(
	const struct run *run, const struct addr *a, uint32_t conn, int64_t wait_ms, dial_done *done, void *arg, struct err *e)
{
	struct retry *r = mem_new(sizeof *r);
	if (r == NULL) {
		err_set(e, ERR_LOCAL, ENOMEM, "connect %s", a->text);
		return NULL;
	}
	r->run = run;
	r->addr = *a;
	r->conn = conn;
	r->done = done;
	r->arg = arg;
	r->clock = (struct timer){ .fn = on_retry_due, .arg = r };
	r->end = (struct task){ .fn = on_retry_end, .arg = r };
	r->since_ms = loop_now(run->loop);
	r->until_ms = wait_ms < NEVER - r->since_ms ? r->since_ms + wait_ms : NEVER;
	begin_round(r);
	return r;
}

void retry_for(struct retry *r, const struct behalf *client)
{
	r->client = *client;
	r->has_client = true;
	if (r->dialer != NULL)
		dial_for(r->dialer, client);
}

void retry_stop(struct retry *takes)
{
	if (takes->dialer != NULL)
		dial_stop(takes->dialer);
	loop_timer(takes->run->loop, &takes->clock, NEVER);
	loop_forget(takes->run->loop, &takes->end);
	mem_free(takes);
}
