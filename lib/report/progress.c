/* Progress in words and bars (progress.h). Bytes are powers of 1024 with at most three digits, times mm:ss or h:mm:ss; an unknown
 * rate or time is left out. */
#include "report/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { BAR_MS = 200, LINE_MS = 1000, COLUMNS = 80, BAR_LEAST = 8, BAR_MOST = 40, WORDS_MOST = 160 };

static const struct opt rows[] = {
	{ .name = "progress",
		.kind = OPT_CHOICE,
		.off = offsetof(struct progress_conf, how),
		.arg = "never|auto|bar|line|json",
		.bare = "auto",
		.def = "never",
		.help = "say how far it has come; at once: SIGUSR1",
		.man = "Say on standard error how far the run has come: bytes sent and received, their rates, the time, and where "
		       "the end is known (standard input is a file, or --size) when it will be reached. bar draws in place on a "
		       "terminal, line writes a line each second, and json an event (see EVENTS). auto, which --progress alone "
		       "means, is bar on a terminal and line otherwise. With any of them, or none, SIGUSR1 asks for one line "
		       "now." },
	{ .name = "size",
		.kind = OPT_SIZE,
		.off = offsetof(struct progress_conf, size_bytes),
		.arg = "SIZE",
		.help = "how many bytes --progress is to expect",
		.man = "How many bytes will go the busier way, for the time that --progress expects it to take." },
	{ 0 },
};
const struct opt_group progress_opts = {
	.title = "Reports", .size = sizeof(struct progress_conf), .rows = rows, .with = WITH_PAYLOAD
};

enum progress_how progress_how(const struct progress_conf *conf)
{
	const char *term = getenv("TERM");
	bool drawable = isatty(STDERR_FILENO) && (term == NULL || strcmp(term, "dumb") != 0);
	if (conf->how != PROGRESS_AUTO && conf->how != PROGRESS_BAR)
		return (enum progress_how)conf->how;
	return drawable ? PROGRESS_BAR : PROGRESS_LINE;
}

int64_t progress_every_ms(const struct progress_conf *conf)
{
	enum progress_how how = progress_how(conf);
	return how == PROGRESS_NEVER ? 0 : how == PROGRESS_BAR ? BAR_MS : LINE_MS;
}

static bool progress_find(const struct event *ev, const char *key, int64_t *out)
{
	const struct ev_field *f = ev->fields;
	while (f->key != NULL && strcmp(f->key, key) != 0)
		f++;
	if (f->key == NULL)
		return false;
	*out = f->num;
	return true;
}

static int64_t progress_number(const struct event *ev, const char *key)
{
	int64_t n = 0;
	progress_find(ev, key, &n);
	return n;
}

struct words {
	char text[WORDS_MOST];
	size_t n;
};

static __attribute__((format(printf, 2, 3))) void put(struct words *w, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(w->text + w->n, sizeof w->text - w->n, fmt, ap);
	va_end(ap);
	w->n += (size_t)n < sizeof w->text - w->n ? (size_t)n : sizeof w->text - w->n - 1;
}

static void put_size(struct words *w, int64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t unit = 0;
	double value = (double)bytes;
	for (; value >= 999.5 && unit + 1 < sizeof units / sizeof units[0]; unit++)
		value /= 1024;
	put(w, "%.*f%s", unit > 0 && value < 9.95, value, units[unit]);
}

static void put_way(struct words *w, const char *name, int64_t bytes, int64_t per_second)
{
	put(w, "%s ", name);
	put_size(w, bytes);
	if (per_second > 0) {
		put(w, " ");
		put_size(w, per_second);
		put(w, "/s");
	}
	put(w, "  ");
}

static void put_time(struct words *w, int64_t us)
{
	long long s = us / 1000000;
	if (s >= 3600)
		put(w, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
	else
		put(w, "%02lld:%02lld", s / 60, s % 60);
}

static void put_all(struct words *w, const struct event *ev)
{
	int64_t eta_us;
	put_way(w, "sent", progress_number(ev, "out"), progress_number(ev, "out_bps"));
	put_way(w, "recv", progress_number(ev, "in"), progress_number(ev, "in_bps"));
	put_time(w, progress_number(ev, "dur_us"));
	if (progress_find(ev, "eta_us", &eta_us)) {
		put(w, " ETA ");
		put_time(w, eta_us + 999999); /* half a second left is not 0 */
	}
}

static size_t progress_copy(char *out, size_t cap, const struct words *w)
{
	size_t n = w->n < cap ? w->n : cap - 1;
	memcpy(out, w->text, n);
	out[n] = '\0';
	return n;
}

size_t progress_text(char *out, size_t cap, const struct event *ev)
{
	struct words w = { .n = 0 };
	put_all(&w, ev);
	return progress_copy(out, cap, &w);
}

/* "  [====>     ]  43%" */
static void put_bar(struct words *w, int64_t done, int64_t left, size_t columns)
{
	enum { AROUND = sizeof "  [] 100%" - 1 };
	size_t width = columns > w->n + AROUND ? columns - w->n - AROUND : 0;
	double all = (double)done + (double)left;
	if (width < BAR_LEAST || all <= 0)
		return;
	width = width < BAR_MOST ? width : BAR_MOST;
	double share = (double)done / all;
	size_t full = (size_t)(share * (double)width);
	put(w, "  [");
	for (size_t i = 0; i < width; i++)
		put(w, "%c", i < full ? '=' : i == full ? '>' : ' ');
	put(w, "] %3d%%", (int)(share * 100));
}

size_t progress_bar(char *out, size_t cap, const struct event *ev, size_t columns)
{
	struct words w = { .n = 0 };
	int64_t left, in = progress_number(ev, "in"), sent = progress_number(ev, "out");
	put_all(&w, ev);
	if (progress_find(ev, "remaining_bytes", &left))
		put_bar(&w, in > sent ? in : sent, left, columns);
	w.n = w.n < columns ? w.n : columns;
	return progress_copy(out, cap, &w);
}

size_t progress_columns(void)
{
	struct winsize size;
	pid_t front = tcgetpgrp(STDERR_FILENO);
	if (front >= 0 && front != getpgrp())
		return 0;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
		return COLUMNS - 1;
	return (size_t)size.ws_col - 1; /* in the last column some terminals wrap */
}
