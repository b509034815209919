/* Words for people, on stderr (out.h).
 *
 * A line goes out in one write, so that lines of several processes on one terminal or pipe stay whole, and only when poll says
 * that there is room: it promises PIPE_BUF bytes, more than a line has, so even a descriptor that may block does not. While
 * there is no room lines wait in the queue. Nothing wakes it: it is tried again with each line, and for a moment at the end. */
#include "cli/out.h"

#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"
#include "io/stdfd.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { LINE_MOST = 2048, QUEUE_BYTES = 64 * 1024, CLOSE_WAIT_MS = 200 };

struct out {
	struct event_sink sink;
	bool quiet, gone;
	unsigned long dropped;
	size_t len;
	char queue[QUEUE_BYTES];
};

static int count(void *block, const char *text, struct err *e)
{
	(void)text;
	(void)e;
	((struct report_conf *)block)->verbose++;
	return 0;
}

static const struct opt report_rows[] = {
	{ .name = "verbose",
		.ch = 'v',
		.kind = OPT_HOOK,
		.hook = count,
		.help = "say what happens; -vv: every step",
		.man = "Say on standard error what happens: where a server listens, who comes and goes, what is tried again. Given "
		       "twice, every step." },
	{ .name = "quiet",
		.ch = 'q',
		.kind = OPT_FLAG,
		.off = offsetof(struct report_conf, quiet),
		.help = "say nothing but the error that ends the run",
		.man = "Say nothing on standard error but the one line that names a failure of the run." },
	{ 0 },
};
const struct opt_group report_opts = { .title = "Reports", .size = sizeof(struct report_conf), .rows = report_rows };

static int64_t clock_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool room(int64_t until_ms)
{
	struct pollfd p = { .fd = 2, .events = POLLOUT };
	int64_t wait_ms = until_ms == 0 ? 0 : until_ms - clock_ms();
	return poll(&p, 1, wait_ms > 0 ? (int)wait_ms : 0) > 0;
}

/* Writes waiting lines while there is room, or room comes until then (0: now). */
static void flush(struct out *out, int64_t until_ms)
{
	while (out->len > 0 && !out->gone && room(until_ms)) {
		const char *end = memchr(out->queue, '\n', out->len);
		size_t line = end == NULL ? out->len : (size_t)(end - out->queue) + 1;
		ssize_t n = write(2, out->queue, line);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			out->gone = true; /* nobody can be told */
		if (n <= 0)
			return;
		out->len -= (size_t)n;
		memmove(out->queue, out->queue + n, out->len);
	}
}

static void push(struct out *out, const char *line, size_t n)
{
	if (n > QUEUE_BYTES - out->len) {
		out->dropped++;
		return;
	}
	memcpy(out->queue + out->len, line, n);
	out->len += n;
}

/* "sockctl: WORDS\n", harmless on a terminal. */
static size_t form(char line[LINE_MOST], const char *words, size_t n)
{
	static const char name[] = "sockctl: ";
	size_t used = sizeof name - 1;
	memcpy(line, name, used);
	used += text_show(line + used, LINE_MOST - used - 1, words, n);
	line[used++] = '\n';
	return used;
}

static void say(struct out *out, const char *words, size_t n)
{
	char line[LINE_MOST];
	flush(out, 0);
	if (out->dropped > 0 && out->len == 0) {
		char lost[64];
		int len = snprintf(lost, sizeof lost, "%lu lines of this report lost", out->dropped);
		out->dropped = 0;
		push(out, line, form(line, lost, (size_t)len));
	}
	push(out, line, form(line, words, n));
	flush(out, 0);
}

static void emit(void *arg, const struct event *ev)
{
	struct out *out = arg;
	char words[LINE_MOST];
	if (!out->quiet)
		say(out, words, report_text(words, sizeof words, ev));
}

struct out *out_open(const struct report_conf *conf)
{
	struct out *out = mem_new(sizeof *out);
	if (out == NULL)
		return NULL;
	out->quiet = conf->quiet;
	out->sink.emit = emit;
	out->sink.arg = out;
	out->sink.level = conf->verbose == 0 ? EV_ALWAYS : conf->verbose == 1 ? EV_VERBOSE : EV_DEBUG;
	struct stat st;
	if (fstat(2, &st) == 0 && !S_ISREG(st.st_mode))
		stdfd_ready(2, NULL); /* if it cannot be had, poll alone has to do */
	return out;
}

const struct event_sink *out_sink(struct out *out)
{
	return &out->sink;
}

void out_error(struct out *out, const char *words)
{
	char line[LINE_MOST];
	size_t n = strlen(words);
	if (out != NULL)
		say(out, words, n);
	else if (room(clock_ms() + CLOSE_WAIT_MS) && write(2, line, form(line, words, n)) < 0)
		return; /* nobody can be told */
}

void out_close(struct out *out)
{
	if (out == NULL)
		return;
	flush(out, clock_ms() + CLOSE_WAIT_MS);
	mem_free(out);
}
