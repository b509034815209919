/* The effect of failures and signals on the whole run. */
#include "net/run.h"

#include "loop/prelude.h"

#include <signal.h>

void run_fail(const struct run *run, const struct err *e)
{
	err_keep(&run->outcome->first, e);
}

int run_claim_stdout(const struct run *run, const char *what, struct err *e)
{
	if (run->events == NULL || !run->events->on_stdout)
		return 0;
	return err_set(e, ERR_USAGE, 0, "--events: stdout carries %s; use a file or another descriptor", what);
}

static void on_deadly_signal(void *arg, int signo)
{
	const struct run *run = arg;
	run->outcome->signo = signo;
	loop_stop(run->loop);
}

int run_die_on_signals(const struct run *run, struct err *e)
{
	static const int deadly[] = { SIGTERM, SIGINT, SIGHUP };
	for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
		if (loop_signal(run->loop, deadly[i], on_deadly_signal, (void *)run, e) != 0)
			return -1;
	prelude_end();
	return 0;
}
