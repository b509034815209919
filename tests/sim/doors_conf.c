/* How the servers of histories are called: drawn once, because reading options takes longer than a history. */
#include "tests/sim/doors.h"

#include "modes/mode.h"
#include "server/access.h"
#include "proxy/proxy_accept.h"
#include "services/service.h"

#include <stdlib.h>
#include <string.h>

static struct accept_conf confs[DOORS_CONFS];

static void set(struct conf *conf, const struct opt_group *group, const char *name, const char *text)
{
	struct err e = { 0 };
	for (const struct opt *row = group->rows; row->name != NULL; row++)
		if (strcmp(row->name, name) == 0 && conf_set(conf, group, row, text, &e) == 0)
			return;
	sim_fail("--%s %s: %s", name, text != NULL ? text : "", e.what);
}

static const char *number(unsigned n)
{
	static const char *const words[] = { "0", "1", "2", "3" };
	return words[n];
}

static void draw_many(struct accept_conf *c, struct dice *d)
{
	static const char *const full[] = { "notice", "close", "queue", "auto" };
	c->count = dice_chance(d, 40) ? 1 + dice_roll(d, 2) : 0;
	c->max = dice_chance(d, 50) ? 1 + dice_roll(d, 3) : 0;
	if (c->count > 0)
		set(c->conf, &server_opts, "count", number(c->count));
	if (c->max > 0)
		set(c->conf, &limit_opts, "max", number(c->max));
	set(c->conf, &server_opts, "when-full", full[dice_roll(d, 4)]);
	if (c->shape == CONSOLE)
		set(c->conf, &console_opts, "label", "none");
}

static void draw_conf(struct accept_conf *c, struct dice *d)
{
	const struct command *const commands[] = { &mode_listen.cmd, &mode_serve.cmd, &mode_echo.cmd, NULL };
	static const int64_t drains[] = { 100, 1000, 5000 };
	static const char *const drain[] = { "100ms", "1s", "5s" };
	unsigned time = dice_roll(d, 3);
	c->shape = (enum shape)dice_roll(d, SHAPES);
	c->setup = (enum setup_kind)dice_roll(d, SETUPS);
	c->in = (enum stdin_kind)dice_roll(d, 4);
	c->drain_ms = drains[time];
	c->conf = conf_new(commands, c->shape <= LISTEN_ON ? commands[0] : c->shape == ECHO ? commands[2] : commands[1], NULL);
	if (c->conf == NULL)
		abort();
	set(c->conf, &server_opts, "drain", drain[time]);
	if (c->setup == SETUP_PROXY)
		set(c->conf, &proxy_accept_opts, "proxy-in", "v1");
	if (c->shape == LISTEN_ON)
		set(c->conf, &listen_opts, "keep-open", NULL);
	if (c->in == STDIN_UNREAD && c->shape != ECHO)
		set(c->conf, c->shape == CONSOLE ? &console_opts : &stdio_opts, "recv-only", NULL);
	if (dice_chance(d, 15))
		set(c->conf, &clock_opts, "lifetime", dice_chance(d, 50) ? "150ms" : "700ms");
	if (c->shape >= ECHO)
		draw_many(c, d);
}

void accept_confs_open(void)
{
	struct dice d = dice_from(1);
	for (size_t i = 0; i < DOORS_CONFS; i++)
		draw_conf(&confs[i], &d);
}

void accept_confs_close(void)
{
	for (size_t i = 0; i < DOORS_CONFS; i++)
		conf_free(confs[i].conf);
}

const struct accept_conf *accept_conf(unsigned i)
{
	return &confs[i % DOORS_CONFS];
}
