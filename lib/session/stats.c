/* Statistics (stats.h). Nothing is counted here: sessions and their service run count, and are asked when a report is due, so an
 * unused report costs nothing.
 *
 * A rate is that of the last three seconds: each report leaves a sample, and is compared with the oldest within that time; if
 * there is none, with the last one. The rest of stdin, if it is a file, is known from its offset; --size counts the busier
 * direction. */
#include "session/stats.h"

#include "base/mem.h"
#include "base/sys.h"
#include "stream/fdstream.h"
#include "session/session.h"

#include <signal.h>
#include <sys/stat.h>

enum { SAMPLES = 16, RATE_MS = 3000, LEAST_MS = 50 };

struct sample {
	int64_t at_ms;
	uint64_t in, out;
};

struct stats {
	const struct run *run;
	const struct service_run *service_run;
	int64_t every_ms, size_bytes, since_ms;
	uint64_t in, out; /* bytes of service runs that are closed */
	struct timer timer;
	struct sample samples[SAMPLES];
	unsigned n; /* samples so far, the first at the start; they are in a ring */
};

struct state { /* of all sessions, now */
	struct sample now;
	uint64_t queued;
	uint32_t active;
};

static struct state stats_ask(const struct stats *m)
{
	struct state st = { .now = { loop_now(m->run->loop), m->in, m->out } };
	if (m->service_run == NULL)
		return st;
	st.now.in += m->service_run->all.in;
	st.now.out += m->service_run->all.out;
	st.active = m->service_run->all.count;
	for (const struct session *s = m->service_run->all.first; s != NULL; s = s->next) {
		st.now.in += s->counters.in;
		st.now.out += s->counters.out;
		st.queued += (uint64_t)stream_unsent(s->stream);
	}
	return st;
}

static const struct sample *sample_at(const struct stats *m, unsigned i)
{
	return &m->samples[i % SAMPLES];
}

/* The sample that the present is compared with. */
static struct sample stats_before(const struct stats *m, int64_t now_ms)
{
	struct sample best = *sample_at(m, m->n - 1);
	unsigned oldest = m->n > SAMPLES ? m->n - SAMPLES : 0;
	for (unsigned i = m->n - 1; i-- > oldest && sample_at(m, i)->at_ms >= now_ms - RATE_MS;)
		best = *sample_at(m, i);
	return best;
}

static int64_t stats_rate(uint64_t bytes, int64_t ms)
{
	return ms <= 0 ? 0 : (int64_t)((double)bytes * 1000 / (double)ms);
}

/* -1: unknown. */
static int64_t left_of_stdin(const struct stats *m)
{
	struct stat st;
	off_t at;
	bool read = m->service_run != NULL && (m->service_run->service->needs & OWNS_STDIN) != 0;
	if (!read || fstat(STDIN_FILENO, &st) != 0 || !S_ISREG(st.st_mode) || (at = lseek(STDIN_FILENO, 0, SEEK_CUR)) < 0)
		return -1;
	return at < st.st_size ? st.st_size - at : 0;
}

static void stats_tell(struct stats *m, bool asked, bool last)
{
	struct state st = stats_ask(m);
	struct sample then = stats_before(m, st.now.at_ms);
	int64_t ms = st.now.at_ms - then.at_ms;
	int64_t in_bps = stats_rate(st.now.in - then.in, ms), out_bps = stats_rate(st.now.out - then.out, ms);
	bool inward = st.now.in > st.now.out;
	int64_t done = (int64_t)(inward ? st.now.in : st.now.out), bps = inward ? in_bps : out_bps;
	int64_t left = m->size_bytes == 0 ? left_of_stdin(m) : done < m->size_bytes ? m->size_bytes - done : 0;
	if (m->size_bytes == 0)
		bps = out_bps;
	struct ev_field none = EV_TEXT("", NULL);
	event(m->run->events, EV_PROGRESS, 0, EV_NUM("in", st.now.in), EV_NUM("out", st.now.out), EV_NUM("in_bps", in_bps),
		EV_NUM("out_bps", out_bps), EV_NUM("active", st.active), EV_NUM("queued_bytes", st.queued),
		left >= 0 ? EV_NUM("remaining_bytes", left) : none,
		left >= 0 && bps > 0 ? EV_NUM("eta_us", (double)left / (double)bps * 1e6) : none,
		EV_NUM("dur_us", (st.now.at_ms - m->since_ms) * 1000), EV_BOOL("asked", asked), EV_BOOL("last", last));
	if (ms >= LEAST_MS)
		m->samples[m->n++ % SAMPLES] = st.now;
}

static void on_stats_due(void *arg)
{
	struct stats *m = arg;
	stats_tell(m, false, false);
	loop_timer(m->run->loop, &m->timer, loop_now(m->run->loop) + m->every_ms);
}

static void on_stats_signal(void *arg, int signo)
{
	(void)signo;
	stats_tell(arg, true, false);
}

struct stats *stats_open(const struct run *run, int64_t every_ms, int64_t size_bytes, struct err *e)
{
	struct stats *m = mem_new(sizeof *m);
	if (m == NULL) {
		err_set(e, ERR_LOCAL, ENOMEM, "measure progress");
		return NULL;
	}
	*m = (struct stats){ .run = run, .every_ms = every_ms, .size_bytes = size_bytes, .since_ms = loop_now(run->loop) };
	m->timer = (struct timer){ .fn = on_stats_due, .arg = m };
	m->samples[m->n++].at_ms = m->since_ms;
	if (loop_signal(run->loop, SIGUSR1, on_stats_signal, m, e) != 0) {
		mem_free(m);
		return NULL;
	}
	if (every_ms > 0)
		loop_timer(run->loop, &m->timer, m->since_ms + every_ms);
	return m;
}

void stats_count(struct stats *m, const struct service_run *service_run)
{
	if (m == NULL)
		return;
	if (m->service_run != NULL) {
		m->in += m->service_run->all.in;
		m->out += m->service_run->all.out;
	}
	m->service_run = service_run;
}

void stats_close(struct stats *m)
{
	if (m == NULL)
		return;
	loop_timer(m->run->loop, &m->timer, NEVER);
	loop_signal(m->run->loop, SIGUSR1, NULL, NULL, NULL);
	if (m->every_ms > 0 && (m->n > 1 || m->in + m->out > 0))
		stats_tell(m, false, true);
	mem_free(m);
}
