#include "tests/sim/client.h"

#include "tests/sim/shake.h"

#include <stdio.h>
#include <string.h>

static void add(struct chat_member *g, enum step_kind kind, int64_t ms)
{
	if (g->steps_n < CLIENT_STEPS || kind >= STEP_FIN)
		g->steps[g->steps_n++] = (struct step){ .kind = kind, .ms = ms };
}

/* What was written into text since `from`. */
static void add_say(struct chat_member *g, size_t from)
{
	if (g->steps_n >= CLIENT_STEPS) {
		g->text_n = from;
		return;
	}
	g->steps[g->steps_n++] = (struct step){ .kind = STEP_SAY, .text = g->text + from, .n = g->text_n - from };
}

static void write_text(struct chat_member *g, const char *text, size_t n)
{
	memcpy(g->text + g->text_n, text, n);
	g->text_n += n;
}

static void wait_some(struct chat_member *g, struct dice *d)
{
	if (dice_chance(d, 50))
		add(g, STEP_WAIT, dice_chance(d, 10) ? dice_roll(d, 3000) : dice_roll(d, 250));
}

/* The text up to there is said, in one piece or in two. */
static void say_cut(struct chat_member *g, struct dice *d, size_t from)
{
	size_t end = g->text_n, cut = from + dice_roll(d, (unsigned)(end - from));
	if (cut > from && dice_chance(d, 40)) {
		g->text_n = cut;
		add_say(g, from);
		wait_some(g, d);
		g->text_n = end;
		from = cut;
	}
	add_say(g, from);
}

/* Returns where what is to be said begins: the end of a setup may come together with the payload. */
static size_t draw_setup(struct chat_member *g, struct dice *d, unsigned i)
{
	char line[64];
	size_t from = g->text_n;
	if (g->setup == SETUP_NONE)
		return from;
	if (g->setup == SETUP_PROXY) {
		int n = snprintf(line, sizeof line, "PROXY TCP4 192.0.2.1 192.0.2.2 %u 7\r\n", KERNEL_PORT + i);
		write_text(g, line, (size_t)n);
		if (dice_chance(d, 50)) {
			say_cut(g, d, from);
			wait_some(g, d);
			from = g->text_n;
		}
		return from;
	}
	write_text(g, "H", 1);
	add_say(g, from);
	add(g, STEP_HEAR_S, 0);
	wait_some(g, d);
	from = g->text_n;
	write_text(g, "F", 1);
	if (dice_chance(d, 50)) {
		add_say(g, from);
		wait_some(g, d);
		from = g->text_n;
	}
	return from;
}

static void draw_payload(struct chat_member *g, struct dice *d, size_t from)
{
	for (unsigned lines = dice_roll(d, 4); lines > 0; lines--) {
		for (unsigned n = 1 + dice_roll(d, CLIENT_LINE_MOST); n > 0; n--)
			g->text[g->text_n++] = g->letter;
		g->text[g->text_n++] = '\n';
		say_cut(g, d, from);
		wait_some(g, d);
		from = g->text_n;
	}
	if (g->setup == SETUP_SHAKE && g->kind != CLIENT_STAYS)
		g->text[g->text_n++] = SHAKE_BYE;
	if (g->text_n > from)
		add_say(g, from);
}

static void draw_mute(struct chat_member *g, struct dice *d, unsigned i)
{
	if (g->setup == SETUP_NONE || dice_chance(d, 40))
		return;
	draw_setup(g, d, i);
	g->text_n = dice_roll(d, (unsigned)g->text_n + 1);
	g->steps_n = 1;
	if (g->setup == SETUP_PROXY && g->text_n > 0 && g->text[g->text_n - 1] == '\n')
		g->text_n--;
	if (g->setup == SETUP_SHAKE && g->text_n > 1)
		g->text_n = 1;
	if (g->text_n > 0)
		add_say(g, 0);
	if (dice_chance(d, 20))
		add(g, STEP_FIN, 0);
}

static enum client_kind draw_kind(struct dice *d)
{
	static const unsigned char share[CLIENT_KINDS] = { 32, 12, 12, 16, 14, 6, 8 };
	unsigned at = dice_roll(d, 100), i = 0;
	for (; i + 1 < CLIENT_KINDS && at >= share[i]; i++)
		at -= share[i];
	return (enum client_kind)i;
}

void client_draw(struct chat_member *g, struct dice *d, enum setup_kind setup, unsigned i)
{
	memset(g, 0, offsetof(struct chat_member, text));
	memset(&g->text_n, 0, sizeof *g - offsetof(struct chat_member, text_n));
	g->setup = setup;
	g->kind = draw_kind(d);
	g->letter = (char)('0' + i);
	g->conn = &kernel.conn[i];
	g->came_ms = dice_chance(d, 60) ? dice_roll(d, 60) : dice_roll(d, 1500);
	add(g, STEP_DIAL, 0);
	if (dice_chance(d, 20))
		add(g, STEP_WAIT, dice_roll(d, 30));
	if (g->kind == CLIENT_MUTE) {
		draw_mute(g, d, i);
	} else if (g->kind == CLIENT_BAD) {
		write_text(g, "garbage\n", 8);
		add_say(g, 0);
	} else {
		size_t from = draw_setup(g, d, i);
		g->setup_bytes = g->text_n;
		draw_payload(g, d, from);
	}
	if (g->kind == CLIENT_SENDS || g->kind == CLIENT_YIELDS)
		add(g, STEP_FIN, 0);
	if (g->kind == CLIENT_GHOST)
		add(g, dice_chance(d, 30) ? STEP_LEAVE : STEP_FIN, 0);
	if (g->kind == CLIENT_BREAKS && g->steps_n > 1) {
		g->steps_n = 1 + dice_roll(d, g->steps_n);
		add(g, STEP_RESET, 0);
	}
	g->steps[g->steps_n] = (struct step){ .kind = STEP_STOP };
}

bool client_honest(const struct chat_member *g)
{
	return g->kind <= CLIENT_GHOST;
}

/* One step: false, it waits. */
static bool take_step(struct chat_member *g)
{
	struct step *s = &g->steps[g->at];
	struct conn *c = g->conn;
	switch (s->kind) {
	case STEP_DIAL:
		kernel_dial(c);
		return true;
	case STEP_WAIT:
		if (g->hurries)
			return true;
		loop_timer(g->loop, &g->timer, loop_now(g->loop) + s->ms);
		g->at++;
		return false;
	case STEP_HEAR_S:
		return g->heard_s;
	case STEP_SAY: {
		size_t n = kernel_say(c, s->text + g->said, s->n - g->said);
		g->acked += n;
		g->said += n;
		if (g->said < s->n)
			return false;
		g->said = 0;
		return true;
	}
	case STEP_FIN:
		kernel_fin(c);
		return true;
	case STEP_RESET:
		g->broke = true;
		kernel_reset(c);
		return true;
	case STEP_LEAVE:
		g->broke = true;
		kernel_leave(c);
		return true;
	default:
		g->done = true;
		return false;
	}
}

static void go_on(struct chat_member *g)
{
	if (g->stepping || g->timer.pos != 0)
		return;
	g->stepping = true;
	while (!g->done && !g->conn->got_rst && take_step(g))
		g->at++;
	g->stepping = false;
}

static void hear(struct chat_member *g)
{
	char heard[KERNEL_OUT];
	size_t n;
	while (!g->conn->gone && (n = kernel_hear(g->conn, heard, sizeof heard)) > 0)
		for (size_t i = 0; i < n; i++) {
			g->heard_s |= heard[i] == 'S';
			g->heard_bye |= heard[i] == SHAKE_BYE;
			g->echoed += heard[i] == g->letter;
			g->told += heard[i] == 'x';
		}
}

/* The server has ended: those that yield end, too. */
static void yield(struct chat_member *g)
{
	static const char bye[] = { SHAKE_BYE };
	bool yields = g->kind == CLIENT_YIELDS || g->kind == CLIENT_STAYS || g->kind == CLIENT_MUTE;
	if (!g->conn->got_fin || !yields || g->conn->in_fin || g->broke)
		return;
	g->done = true;
	loop_timer(g->loop, &g->timer, NEVER);
	if (g->setup == SETUP_SHAKE && g->heard_bye && kernel_say(g->conn, bye, 1) == 0)
		return;
	kernel_fin(g->conn);
}

static void on_news(void *arg)
{
	struct chat_member *g = arg;
	if (g->stepping)
		return;
	hear(g);
	yield(g);
	if (g->at > 0)
		go_on(g);
}

static void on_timer(void *arg)
{
	go_on(arg);
}

void client_start(struct chat_member *g, struct loop *loop)
{
	g->loop = loop;
	g->conn->news = on_news;
	g->conn->arg = g;
	g->timer = (struct timer){ .fn = on_timer, .arg = g };
	loop_timer(loop, &g->timer, loop_now(loop) + g->came_ms);
}

void client_finish(struct chat_member *g)
{
	loop_timer(g->loop, &g->timer, NEVER);
	g->hurries = true;
	on_news(g);
}

bool client_well(const struct chat_member *g)
{
	const struct conn *c = g->conn;
	bool ended = c->in_fin && c->got_fin && !c->got_rst && !g->broke;
	return client_honest(g) && g->done && ended && (g->setup != SETUP_SHAKE || g->heard_bye);
}

size_t client_letters_all(const struct chat_member *g)
{
	size_t n = 0;
	for (size_t i = g->setup_bytes; i < g->text_n; i++)
		n += g->text[i] == g->letter;
	return n;
}

size_t client_letters(const struct chat_member *g)
{
	size_t n = 0;
	for (size_t i = g->setup_bytes; i < g->acked && i < g->text_n; i++)
		n += g->text[i] == g->letter;
	return n;
}
