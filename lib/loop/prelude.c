/* Signals before the loop turns (prelude.h). They are handled without SA_RESTART, so that a blocking call returns. A signal just
 * before a call blocks would be missed, so after the first one the alarm clock interrupts again and again. */
#include "loop/prelude.h"

#include "base/sys.h"

#include <signal.h>
#include <sys/time.h>

enum { NAG_US = 20000, SECOND_US = 1000000 };

static const int ending[] = { SIGTERM, SIGINT, SIGHUP };

static struct {
	volatile sig_atomic_t on, caught, lived;
	bool armed; /* the alarm clock is ours */
	struct sigaction alarm_before;
	struct itimerval clock_before;
} here;

static void set_clock(int64_t first_us)
{
	const struct itimerval clock = { .it_value = { first_us / SECOND_US, first_us % SECOND_US },
		.it_interval = { 0, NAG_US } };
	setitimer(ITIMER_REAL, &clock, NULL);
}

static void on_ending(int signo)
{
	int keep = errno;
	if (here.on) {
		here.caught = signo;
		sys_called_off = 1;
		set_clock(NAG_US);
	}
	errno = keep;
}

static void on_alarm(int signo)
{
	(void)signo;
	if (!here.on)
		return;
	here.lived = !here.caught;
	sys_called_off = 1;
}

static void prelude_take(int signo, void (*handler)(int signo), struct sigaction *before)
{
	struct sigaction act = { .sa_handler = handler };
	sigemptyset(&act.sa_mask);
	sigaction(signo, &act, before);
}

void prelude_begin(int64_t lifetime_ms)
{
	here.on = 1;
	here.caught = here.lived = 0;
	prelude_take(SIGALRM, on_alarm, &here.alarm_before);
	getitimer(ITIMER_REAL, &here.clock_before);
	here.armed = true;
	for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++) {
		struct sigaction now;
		if (sigaction(ending[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			prelude_take(ending[i], on_ending, NULL);
	}
	if (lifetime_ms > 0)
		set_clock(lifetime_ms * 1000);
}

bool prelude_caught(int signo)
{
	return here.on && here.caught == signo;
}

bool prelude_called_off(int *signo, struct err *e)
{
	if (!here.on || !sys_called_off)
		return false;
	if (here.caught) {
		*signo = here.caught;
		return true;
	}
	err_prefix(e, "--lifetime is over");
	e->cls = ERR_TIMEOUT;
	return true;
}

void prelude_end(void)
{
	if (!here.armed)
		return;
	here.on = 0;
	here.armed = false;
	setitimer(ITIMER_REAL, &here.clock_before, NULL);
	sigaction(SIGALRM, &here.alarm_before, NULL);
	sys_called_off = 0;
}
