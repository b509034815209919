/* The operator's stdin and stdout (operator_io.h).
 *
 * A turn writes once and reads once, as a member of a chat does. In lines mode input gathers at the start of `in` until there is
 * a newline; a line longer than the buffer is passed on in pieces. A terminal that refuses a background read is read again after
 * SIGCONT.
 *
 * Output must be written before the process may end, and when the last client has gone the server stops its loop: so closing
 * turns the loop once more, which a signal still ends. */
#include "chat/operator_io.h"

#include "base/mem.h"
#include "codec/filter.h"
#include "codec/framer.h"
#include "stream/stdfd.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
	IN_BYTES = 65536,
	HALF_BYTES = 128 * 1024,
	OUT_MOST_BYTES = 4 * 1024 * 1024 /* the largest result of one read over half */
};

static struct loop *loop_of(const struct operator_io *d)
{
	return d->service_run->run->loop;
}

static void run_failed(const struct operator_io *d, const struct why *why)
{
	struct err e = { 0 };
	err_why(&e, why, NULL);
	run_fail(d->service_run->run, &e);
}

static void operator_leave(struct operator_io *d)
{
	d->gone = true;
	d->wr_waits = false;
	waiter_rest(&d->waiter);
	outq_free(&d->out);
}

/* Output has no reader, or cannot be written: there is no reason to serve on. Where something was still to be written, what the
 * clients have said is lost, and they see a reset. */
static void operator_lost(struct operator_io *d, const struct why *why)
{
	bool unwritten = d->out.n > 0;
	operator_leave(d);
	run_failed(d, why);
	for (struct session *s = unwritten ? d->service_run->all.first : NULL; s != NULL; s = s->next)
		session_end(s, END_ERROR, CLOSE_RST, why);
	loop_stop(loop_of(d));
}

/* A closed terminal has no operator any more: do what SIGHUP asks for, also if it is not sent. */
static void hung_up(struct operator_io *d)
{
	operator_leave(d);
	if (d->service_run->finish != NULL)
		d->service_run->finish(d->service_run->finish_arg);
	service_run_drain(d->service_run);
	if (d->closing)
		loop_stop(loop_of(d));
}

/* Writing */

static void tell_full(struct operator_io *d)
{
	bool full = d->out.bytes > HALF_BYTES;
	if (full == d->full || d->closing)
		return;
	d->full = full;
	d->ops->full(d->arg, full);
}

static void write_some(struct operator_io *d)
{
	int rc = outq_send(&d->out, d->near);
	if (rc == 0 && d->closing)
		rc = stream_shut(d->near);
	d->wr_waits = d->unflushed = rc == ST_AGAIN;
	if (rc == ST_FAIL) {
		if (d->screen && d->near->why.sys == EIO)
			hung_up(d);
		else
			operator_lost(d, &d->near->why);
		return;
	}
	if (rc == OUTQ_MORE)
		loop_later(loop_of(d), &d->turn);
	else if (rc == 0 && d->closing)
		loop_stop(loop_of(d));
	tell_full(d);
}

void operator_io_print(struct operator_io *d, struct msg *msg)
{
	static const struct why no_room = { ERR_LOCAL, 0, ENOMEM, "write stdout" };
	if (d->gone || !d->opts.writes)
		return;
	if (outq_push(&d->out, msg, OUT_MOST_BYTES) != 0) {
		operator_lost(d, &no_room);
		return;
	}
	if (!d->wr_waits)
		loop_later(loop_of(d), &d->turn);
	tell_full(d);
}

/* Reading */

static bool operator_may_listen(const struct operator_io *d)
{
	return d->opts.reads && !d->eof && !d->gone && !d->closing && d->ops->listens(d->arg);
}

static void heard_end(struct operator_io *d)
{
	d->eof = true;
	operator_io_last(d);
	d->ops->ended(d->arg);
}

static void operator_tell_heard(struct operator_io *d, size_t n)
{
	d->any = true;
	d->in_len += n;
	size_t whole = d->opts.lines ? framer_whole_lines(d->in, d->in_len) : d->in_len;
	if (whole == 0 && d->in_len == IN_BYTES)
		whole = d->in_len;
	if (whole > 0)
		d->ops->heard(d->arg, d->in, whole);
	d->in_len -= whole;
	if (whole > 0)
		memmove(d->in, d->in + whole, d->in_len);
}

static void read_some(struct operator_io *d)
{
	size_t room = IN_BYTES - d->in_len, most = d->opts.read_most;
	ssize_t got = stream_read(d->near, d->in + d->in_len, most > 0 && most < room ? most : room);
	d->rd_waits = got == ST_AGAIN;
	if (got > 0) {
		operator_tell_heard(d, (size_t)got);
	} else if (got == ST_FAIL && d->tty && d->near->why.sys == EIO) {
		hung_up(d);
	} else if (got != ST_AGAIN) {
		if (got == ST_FAIL)
			run_failed(d, &d->near->why);
		heard_end(d);
	} else if (d->ops->quiet != NULL) {
		d->ops->quiet(d->arg);
	}
}

bool operator_io_quiet(const struct operator_io *d)
{
	return d->rd_waits || !d->opts.reads;
}

/* Turns */

static void on_operator_turn(void *arg)
{
	static const struct why reader_left = { ERR_PIPE, 0, EPIPE, "write stdout" };
	struct operator_io *d = arg;
	if (d->waiter.hup && d->opts.writes && !d->gone) {
		if (d->screen)
			hung_up(d);
		else
			operator_lost(d, &reader_left);
	}
	if (d->gone)
		return;
	if (!d->wr_waits && (d->out.n > 0 || d->closing || d->unflushed))
		write_some(d);
	if (operator_may_listen(d) && !d->rd_waits)
		read_some(d);
	if (d->gone)
		return;
	if (operator_may_listen(d) && !d->rd_waits)
		loop_later(loop_of(d), &d->turn);
	if (waiter_arm(&d->waiter, d->rd_waits && operator_may_listen(d), d->wr_waits) != 0) {
		const struct why cannot = { ERR_LOCAL, 0, errno, "wait for stdin and stdout" };
		operator_lost(d, &cannot);
	}
}

static void on_operator_ready(void *arg)
{
	struct operator_io *d = arg;
	d->rd_waits = d->wr_waits = false;
	on_operator_turn(d);
}

static void on_operator_continued(void *arg, int signo)
{
	struct operator_io *d = arg;
	(void)signo;
	d->rd_waits = d->wr_waits = false;
	operator_io_look(d);
}

void operator_io_look(struct operator_io *d)
{
	loop_later(loop_of(d), &d->turn);
}

void operator_io_last(struct operator_io *d)
{
	size_t n = d->in_len;
	d->in_len = 0;
	if (n > 0)
		d->ops->heard(d->arg, d->in, n);
}

/* Start and end */

bool operator_io_terminal(void)
{
	return isatty(STDIN_FILENO);
}

static int operator_prepare(struct operator_io *d, struct err *e)
{
	bool clean = d->opts.writes && !d->opts.raw && isatty(STDOUT_FILENO);
	d->in = d->opts.reads ? mem_raw(IN_BYTES) : NULL;
	if ((d->opts.reads && d->in == NULL) || (clean && filter_push(&d->near, "clean", sanitize_convert) != 0))
		return err_set(e, ERR_LOCAL, ENOMEM, "use stdin and stdout");
	return loop_signal(loop_of(d), SIGCONT, on_operator_continued, d, e);
}

int operator_io_open(struct operator_io *d, struct service_run *service_run, const struct operator_io_opts *opts,
	const struct operator_io_ops *ops, void *arg, struct err *e)
{
	*d = (struct operator_io){ .service_run = service_run, .ops = ops, .arg = arg, .opts = *opts };
	d->near = stdfd_stream(opts->reads, opts->writes, e);
	if (d->near == NULL)
		return -1;
	if (operator_prepare(d, e) != 0) {
		stream_close(d->near, CLOSE_PLAIN);
		mem_free(d->in);
		return -1;
	}
	d->tty = d->near->caps & ST_TTY;
	d->screen = opts->writes && isatty(STDOUT_FILENO);
	d->turn = (struct task){ .fn = on_operator_turn, .arg = d };
	waiter_open(&d->waiter, loop_of(d), d->near, on_operator_ready, d);
	operator_io_look(d);
	return 0;
}

static void on_operator_stop(void *arg)
{
	loop_stop(arg);
}

/* After a signal within --drain; after a second signal only this one try. */
static void write_rest(struct operator_io *d)
{
	const struct run *run = d->service_run->run;
	struct timer bound = { .fn = on_operator_stop, .arg = run->loop };
	struct err e = { 0 };
	bool cut = run->outcome->first.cls != ERR_OK;
	d->closing = true;
	operator_io_look(d);
	if (d->service_run->draining)
		loop_timer(run->loop, &bound, loop_now(run->loop) + (cut ? 0 : d->service_run->drain_ms));
	if (loop_run(run->loop, &e) != 0)
		run_fail(run, &e);
	loop_timer(run->loop, &bound, NEVER);
}

void operator_io_close(struct operator_io *d)
{
	static const struct why cut = { ERR_LOCAL, 0, 0, "write stdout: cut short" };
	if (!d->gone && d->opts.writes)
		write_rest(d);
	if (d->out.n > 0)
		run_failed(d, &cut);
	waiter_close(&d->waiter);
	loop_forget(loop_of(d), &d->turn);
	loop_signal(loop_of(d), SIGCONT, NULL, NULL, NULL);
	outq_free(&d->out);
	stream_close(d->near, CLOSE_PLAIN);
	mem_free(d->in);
}
