/* Reports (out.h): each event goes to each reporter that asked for it.
 *
 * People get the sentences of their level on stderr. With --json programs get every event there instead; with --events they get
 * every event elsewhere, and stderr stays the same. Each event stream has its own numbers, and a dropped event has one too: so a
 * reader sees the gap, and `lost` says how many. The last event holds the sums of the whole run. */
#include "report/out.h"

#include "base/mem.h"
#include "base/url.h"
#include "base/sys.h"
#include "base/text.h"
#include "base/wallclock.h"
#include "report/report.h"
#include "report/line_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINE_MOST = 2048, CLOSE_WAIT_MS = 200 };

struct events { /* one event stream; sink NULL: not asked for */
	struct line_writer *sink;
	uint64_t seq;
	bool failed; /* and the run's failure has said so */
};

struct out {
	struct event_sink sink;
	const struct report_conf *conf;
	const struct persona *persona; /* NULL: our own */
	enum ev_level level;	       /* of the words */
	struct line_writer *words;     /* NULL: --json has stderr */
	struct events json, file, json_progress;
	enum progress_how progress;
	bool drawn; /* a bar stands at the end of the output */
	bool told;  /* the failure of the file has been reported */
	bool colour;
	uint32_t dumped; /* the connection whose payload came last */
	struct timespec since;
	int64_t conns, rejected, fails, in, out;
};

/* Words */

/* "sockctl: WORDS\n", printable on a terminal; as_is: without the name. */
static size_t out_form(char line[LINE_MOST], const struct persona *persona, bool as_is, const char *words, size_t n)
{
	size_t used = 0;
	if (!as_is)
		used = (size_t)snprintf(line, LINE_MOST, "%s: ", persona == NULL ? "sockctl" : persona->name);
	used += text_show(line + used, LINE_MOST - used - 1, words, n);
	line[used++] = '\n';
	return used;
}

/* Writes a line for people to stderr: an open bar is erased first, and drawn again with the next progress event. */
static void put_words(struct out *out, const char *line, size_t n)
{
	static const char clear[] = "\r\033[K";
	if (out->drawn)
		line_writer_put(out->words, clear, sizeof clear - 1);
	out->drawn = false;
	line_writer_put(out->words, line, n);
}

static void say_missed(struct out *out)
{
	char line[LINE_MOST], lost[64];
	unsigned long missed = line_writer_missed(out->words);
	int len = snprintf(lost, sizeof lost, "%lu lines of this report lost", missed);
	if (missed > 0)
		put_words(out, line, out_form(line, out->persona, false, lost, (size_t)len));
}

/* last: uses the room kept for it. */
static void out_say(struct out *out, const char *words, size_t n, bool last)
{
	char line[LINE_MOST];
	if (!last && !line_writer_takes(out->words))
		return;
	say_missed(out);
	put_words(out, line, out_form(line, out->persona, false, words, n));
}

/* As another program: its own lines. */
static void say_as(struct out *out, const struct event *ev)
{
	char words[LINE_MOST], line[LINE_MOST];
	size_t n = out->persona->words(out->persona->arg, words, sizeof words, ev);
	for (size_t at = 0, len; at < n && n < sizeof words && line_writer_takes(out->words); at += len + 1) {
		len = strcspn(words + at, "\n");
		put_words(out, line, out_form(line, out->persona, true, words + at, len));
	}
}

static bool has_words(const struct out *out, const struct ev_row *row)
{
	bool fits = row->level == EV_BRIEF ? out->level == EV_ALWAYS : row->level <= out->level;
	return fits && row->sentence[0] != '\0';
}

static void say_event(struct out *out, const struct event *ev)
{
	char words[LINE_MOST];
	const struct ev_row *row = &ev_rows[ev->kind];
	if (out->persona != NULL)
		say_as(out, ev);
	else if ((!out->conf->quiet || row->level == EV_LOUD) && has_words(out, row))
		out_say(out, words, report_text(words, sizeof words, ev, out->level == EV_DEBUG), false);
}

static void out_dump(struct out *out, const struct event *ev)
{
	char lines[REPORT_LINE];
	struct report_dump d = { .wallclock_us = wallclock_us(), .conn = out->dumped, .colour = out->colour };
	size_t n = 0;
	while (line_writer_takes(out->words) && (n = report_hex(lines, ev, &d)) > 0) {
		say_missed(out);
		put_words(out, lines, n);
	}
	out->dumped = n == 0 ? d.conn : 0;
}

/* Events */

static int64_t since_us(const struct out *out)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((int64_t)now.tv_sec - out->since.tv_sec) * 1000000 + (now.tv_nsec - out->since.tv_nsec) / 1000;
}

static void write_event(const struct out *out, struct events *to, const struct event *ev)
{
	char line[REPORT_LINE];
	struct report_stamp stamp = { .seq = ++to->seq, .us = since_us(out) };
	clock_gettime(CLOCK_REALTIME, &stamp.at);
	line_writer_put(to->sink, line, report_json(line, ev, &stamp));
}

static void write_lost(const struct out *out, struct events *to)
{
	unsigned long missed = line_writer_missed(to->sink);
	const struct ev_field fields[] = { EV_TEXT("what", "log"), EV_NUM("count", missed), { 0 } };
	const struct event lost = { .kind = EV_LOST, .fields = fields };
	if (missed == 0)
		return;
	to->seq += missed;
	write_event(out, to, &lost);
}

/* The last event always has room. */
static void write_to(const struct out *out, struct events *to, const struct event *ev)
{
	if (to->sink == NULL || (ev->kind != EV_EXIT && !line_writer_takes(to->sink)))
		return;
	write_lost(out, to);
	write_event(out, to, ev);
}

static int64_t out_number(const struct event *ev, const char *key)
{
	for (const struct ev_field *f = ev->fields; f->key != NULL; f++)
		if (f->is == EV_IS_NUM && strcmp(f->key, key) == 0)
			return f->num;
	return 0;
}

static bool out_has(const struct event *ev, const char *key)
{
	const struct ev_field *f = ev->fields;
	while (f->key != NULL && strcmp(f->key, key) != 0)
		f++;
	return f->key != NULL && f->text != NULL;
}

static void sum_up(struct out *out, const struct event *ev)
{
	out->conns += ev->kind == EV_OPEN;
	out->rejected += ev->kind == EV_REJECT;
	if (ev->kind != EV_CLOSE)
		return;
	out->fails += out_has(ev, "error");
	out->in += out_number(ev, "in");
	out->out += out_number(ev, "out");
}

/* A full disk or a reader that has left is reported once, on stderr. */
static void tell_broken(struct out *out)
{
	int sys = out->file.sink == NULL ? 0 : line_writer_error(out->file.sink);
	char text[320], name[200];
	if (sys == 0 || out->told)
		return;
	out->told = true;
	text_show(name, sizeof name, out->conf->events, strlen(out->conf->events));
	snprintf(text, sizeof text, "no more events: write %s: %s", name, strerror(sys));
	event(&out->sink, EV_WARN, 0, EV_TEXT("text", text));
}

/* Payload goes to the reporters that asked for it; a reporter that wants only lengths gets no bytes. */
static void emit_data(struct out *out, const struct event *ev)
{
	enum { MOST = 8 };
	struct ev_field fields[MOST + 1] = { { 0 } };
	const struct event bare = { .kind = ev->kind, .conn = ev->conn, .fields = fields };
	size_t n = 0;
	if (out->conf->hexdump && out->words != NULL)
		out_dump(out, ev);
	if (out->conf->data == DATA_NONE)
		return;
	for (const struct ev_field *f = ev->fields; f->key != NULL && n < MOST; f++)
		if (f->is != EV_IS_BYTES || out->conf->data == DATA_BYTES)
			fields[n++] = *f;
	write_to(out, &out->file, &bare);
	write_to(out, &out->json, &bare);
}

static bool out_is(const struct event *ev, const char *key)
{
	const struct ev_field *f = ev->fields;
	while (f->key != NULL && strcmp(f->key, key) != 0)
		f++;
	return f->key != NULL && f->num != 0;
}

/* Redraws the bar in place. A line that the terminal does not take now is not queued. */
static void out_draw(struct out *out, const struct event *ev)
{
	char line[LINE_MOST] = "\r", words[LINE_MOST];
	size_t columns = progress_columns();
	if (columns == 0 || !line_writer_idle(out->words))
		return;
	progress_bar(words, sizeof words, ev, columns);
	int n = snprintf(line, sizeof line, "\r%s\033[K%s", words, out_is(ev, "last") ? "\n" : "");
	line_writer_put(out->words, line, (size_t)n);
	out->drawn = !out_is(ev, "last");
}

static void emit_progress(struct out *out, const struct event *ev)
{
	char words[LINE_MOST];
	write_to(out, &out->file, ev);
	write_to(out, &out->json, ev);
	write_to(out, &out->json_progress, ev);
	if (out->words == NULL || out->conf->quiet || out->progress == PROGRESS_JSON)
		return;
	if (out->progress == PROGRESS_BAR && !out_is(ev, "asked"))
		out_draw(out, ev);
	else
		out_say(out, words, progress_text(words, sizeof words, ev), false);
}

static void out_emit(void *arg, const struct event *ev)
{
	struct out *out = arg;
	if (ev->kind == EV_DATA) {
		emit_data(out, ev);
		return;
	}
	if (ev->kind == EV_PROGRESS) {
		emit_progress(out, ev);
		return;
	}
	sum_up(out, ev);
	write_to(out, &out->file, ev);
	write_to(out, &out->json, ev);
	if (out->words != NULL)
		say_event(out, ev);
	if (ev->kind != EV_EXIT)
		tell_broken(out);
}

/* All reports */

static bool wants_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	return isatty(STDERR_FILENO) && (no == NULL || *no == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}

struct out *out_open(
	const struct report_conf *conf, const struct progress_conf *progress, const struct persona *persona, struct err *e)
{
	bool machine = conf->json || conf->events != NULL || persona != NULL;
	struct out *out = mem_new(sizeof *out);
	struct line_writer *err = NULL;
	if (out == NULL)
		err_set(e, ERR_LOCAL, ENOMEM, "open the report");
	else if (conf->events == NULL || (out->file.sink = line_writer_named(conf->events, e)) != NULL)
		err = line_writer_open(STDERR_FILENO, e);
	if (err == NULL) {
		out_close(out);
		return NULL;
	}
	*(conf->json ? &out->json.sink : &out->words) = err;
	out->conf = conf;
	out->persona = persona;
	out->progress = progress_how(progress);
	if (out->progress == PROGRESS_JSON && !conf->quiet)
		out->json_progress.sink = out->words;
	out->level = conf->verbose == 0 ? EV_ALWAYS : conf->verbose == 1 ? EV_VERBOSE : EV_DEBUG;
	out->sink =
		(struct event_sink){ .emit = out_emit, .arg = out, .level = machine || conf->hexdump ? EV_DEBUG : out->level };
	out->sink.data = conf->data != DATA_NONE || conf->hexdump;
	out->sink.bytes = conf->data == DATA_BYTES || conf->hexdump;
	out->colour = conf->hexdump && wants_colour();
	out->sink.on_stdout = out->file.sink != NULL && line_writer_is_stdout(out->file.sink);
	clock_gettime(CLOCK_MONOTONIC, &out->since);
	return out;
}

const struct event_sink *out_sink(struct out *out)
{
	return &out->sink;
}

void out_watch(struct out *out, struct loop *loop)
{
	struct line_writer *const all[] = { out->file.sink, out->json.sink, out->words };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (all[i] != NULL)
			line_writer_watch(all[i], loop);
}

void out_cry(const struct persona *persona, const char *words)
{
	char line[LINE_MOST], shown[LINE_MOST];
	size_t n = redact_text(shown, sizeof shown, words, strlen(words));
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
	if (poll(&p, 1, CLOSE_WAIT_MS) > 0 && write(STDERR_FILENO, line, out_form(line, persona, false, shown, n)) < 0)
		return; /* there is no report yet */
}

void out_error(struct out *out, const char *words)
{
	char shown[LINE_MOST];
	size_t n = redact_text(shown, sizeof shown, words, strlen(words));
	if (out->words != NULL)
		out_say(out, shown, n, true);
}

/* Once for each stream. A reader that has left is no failure. */
static int out_judge(struct events *events, const char *name, struct err *e)
{
	char shown[200];
	int sys = events->sink != NULL && !events->failed ? line_writer_error(events->sink) : 0;
	if (sys == 0 || sys == EPIPE || sys == ECONNRESET)
		return 0;
	events->failed = true;
	text_show(shown, sizeof shown, name, strlen(name));
	return err_set(e, ERR_LOCAL, sys, "write %s", shown);
}

static int write_end(const struct out *out, struct events *to, const struct event *ev, const char *name, struct err *e)
{
	if (to->sink == NULL || to->failed)
		return 0;
	write_to(out, to, ev);
	line_writer_flush(to->sink, line_writer_clock_ms() + CLOSE_WAIT_MS);
	return out_judge(to, name, e);
}

int out_end(struct out *out, int code, const char *cls, const char *error, struct err *e)
{
	const struct ev_field fields[] = { EV_NUM("code", code), EV_TEXT("class", cls), EV_TEXT("error", error),
		EV_NUM("conns", out->conns), EV_NUM("rejected", out->rejected), EV_NUM("in", out->in), EV_NUM("out", out->out),
		EV_NUM("fails", out->fails), EV_NUM("dur_us", since_us(out)), { 0 } };
	const struct event ev = { .kind = EV_EXIT, .fields = fields };
	if (out_judge(&out->file, out->conf->events, e) != 0 || out_judge(&out->json, "stderr", e) != 0)
		return -1;
	if (write_end(out, &out->file, &ev, out->conf->events, e) != 0)
		return -1;
	if (error != NULL)
		out_error(out, error);
	if (out->words != NULL)
		say_event(out, &ev);
	return write_end(out, &out->json, &ev, "stderr", e);
}

void out_close(struct out *out)
{
	if (out == NULL)
		return;
	int64_t until_ms = line_writer_clock_ms() + CLOSE_WAIT_MS;
	struct line_writer *const all[] = { out->file.sink, out->json.sink, out->words };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (all[i] != NULL)
			line_writer_flush(all[i], until_ms);
		line_writer_close(all[i]);
	}
	mem_free(out);
}
