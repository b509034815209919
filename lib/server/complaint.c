/* One line a second (complaint.h). In a flood each failure costs a copy of its words, and no memory. */
#include "server/complaint.h"

#include <stdio.h>

static void complaint_say(struct complaint *c)
{
	char words[2 * COMPLAINT_TEXT];
	unsigned n = c->untold;
	bool one = n == 1;
	c->untold = 0;
	if (one)
		snprintf(words, sizeof words, "%s turned away: %s: %s", c->peer, c->reason, c->why);
	else
		snprintf(words, sizeof words, "%u %s failed within a second, the last with %s: %s: %s", n,
			c->tls ? "handshakes" : "setups", c->peer, c->reason, c->why);
	event(c->run->events, EV_FAILED, one ? c->conn : 0, EV_NUM("count", n), EV_TEXT("peer", c->peer),
		EV_TEXT("reason", c->reason), EV_TEXT("error", c->why), EV_TEXT("words", words));
}

static void on_complaint_second(void *arg)
{
	struct complaint *c = arg;
	struct loop *loop = c->run->loop;
	c->waits = c->untold > 0;
	if (!c->waits)
		return;
	complaint_say(c);
	loop_timer(loop, &c->due, loop_now(loop) + COMPLAINT_MS);
}

void complaint_open(struct complaint *c, const struct run *run)
{
	c->run = run;
	c->due = (struct timer){ .fn = on_complaint_second, .arg = c };
}

void complaint_add(struct complaint *c, uint32_t conn, const struct sa *peer, const char *reason, const struct err *e)
{
	c->untold++;
	c->conn = conn;
	sa_text(peer, c->peer);
	snprintf(c->reason, sizeof c->reason, "%s", reason);
	snprintf(c->why, sizeof c->why, "%.*s", COMPLAINT_TEXT - 1, e->what);
	c->tls = e->cls == ERR_TLS;
	if (!c->waits)
		on_complaint_second(c);
}

void complaint_close(struct complaint *c)
{
	if (c->run == NULL)
		return;
	loop_timer(c->run->loop, &c->due, NEVER);
	if (c->untold > 0)
		complaint_say(c);
}
