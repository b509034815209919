/* What failures and signals do to a run as a whole. */
#include "net/env.h"

#include "io/prelude.h"

#include <signal.h>

void env_fail(const struct env *env, const struct err *e)
{
	err_keep(&env->outcome->first, e);
}

int env_claim_stdout(const struct env *env, const char *what, struct err *e)
{
	if (env->events == NULL || !env->events->on_stdout)
		return 0;
	return err_set(e, ERR_USAGE, 0, "--events: stdout carries %s; use a file or another descriptor", what);
}

static void die(void *arg, int signo)
{
	const struct env *env = arg;
	env->outcome->signo = signo;
	loop_stop(env->loop);
}

int env_die_on_signals(const struct env *env, struct err *e)
{
	static const int deadly[] = { SIGTERM, SIGINT, SIGHUP };
	for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
		if (loop_signal(env->loop, deadly[i], die, (void *)env, e) != 0)
			return -1;
	prelude_end();
	return 0;
}
