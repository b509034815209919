/* sim [-n HISTORIES] [-s SEED] [-j JOBS] [-k KIND] [-v]: histories SEED, SEED + 1, ... on JOBS processes. Nothing but the seed
 * decides what a history is, so the one line that a failure prints is enough to see it again: sim -s SEED -n 1. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct kind *const kinds[] = { &kind_pump, &kind_sessions,
#ifdef __linux__ /* the linker's --wrap, and splice */
	&kind_doors, &kind_relay,
#endif
	&kind_chat, &kind_play, &kind_talk };
enum { KINDS = sizeof kinds / sizeof kinds[0], JOBS_MOST = 64, HANG_S = 30 };

static struct {
	volatile uint64_t seed;
	const struct kind *volatile kind;
	bool only;     /* the kind was asked for, not drawn */
	uint64_t seen; /* by the watchdog */
} sim;

struct wish {
	uint64_t first, n;
	unsigned jobs;
	const struct kind *only;
	bool verbose;
};

void sim_fail(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fflush(stdout);
	fprintf(stderr, "\nsimulation: seed %" PRIu64 ", a history of %s: ", sim.seed, sim.kind->name);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\nsee it again: make simulate SEED=%" PRIu64 " N=1%s%s\n", sim.seed, sim.only ? " KIND=" : "",
		sim.only ? sim.kind->name : "");
	va_end(ap);
	_exit(1);
}

void sim_check(bool holds, const char *what)
{
	if (!holds)
		sim_fail("%s", what);
}

/* From a signal handler, or from a sanitizer that ends the process. */
static void tell_seed(void)
{
	char text[160];
	int n = snprintf(text, sizeof text, "\nsimulation: seed %" PRIu64 ", a history of %s, ended the program\n", sim.seed,
		sim.kind != NULL ? sim.kind->name : "nothing");
	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		_exit(1);
}

static void look_for_progress(int signo)
{
	(void)signo;
	if (sim.seen == sim.seed) {
		tell_seed();
		_exit(1);
	}
	sim.seen = sim.seed;
	alarm(HANG_S);
}

static void crashed(int signo)
{
	tell_seed();
	signal(signo, SIG_DFL);
	raise(signo);
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
void __sanitizer_set_death_callback(void (*fn)(void));
int __lsan_do_recoverable_leak_check(void);
#endif

static void watch(void)
{
#ifdef SANITIZED
	__sanitizer_set_death_callback(tell_seed);
#else
	signal(SIGSEGV, crashed);
	signal(SIGBUS, crashed);
#endif
	signal(SIGABRT, crashed);
	signal(SIGALRM, look_for_progress);
	alarm(HANG_S);
}

static void kinds_open(bool open)
{
	for (size_t i = 0; i < KINDS; i++) {
		void (*fn)(void) = open ? kinds[i]->open : kinds[i]->close;
		if (fn != NULL)
			fn();
	}
}

static const struct kind *draw_kind(struct dice *d)
{
	unsigned at = dice_roll(d, 100), i = 0;
	for (; i + 1 < KINDS && at >= kinds[i]->share; i++)
		at -= kinds[i]->share;
	return kinds[i];
}

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Every jobs-th history from the job-th on. Returns 0, or 1: they leaked. */
static int run_job(const struct wish *wish, unsigned job)
{
	uint64_t n[KINDS] = { 0 };
	sim.only = wish->only != NULL;
	watch();
	ground_open();
	kinds_open(true);
	for (uint64_t i = job; i < wish->n; i += wish->jobs) {
		sim.seed = wish->first + i;
		struct dice d = dice_from(sim.seed);
		const struct kind *kind = draw_kind(&d);
		sim.kind = wish->only != NULL ? wish->only : kind;
		sim.kind->run(&d);
		sim_schedule(NULL, 0);
		for (size_t k = 0; k < KINDS; k++)
			n[k] += kinds[k] == sim.kind;
	}
	kinds_open(false);
	ground_close();
	for (size_t k = 0; wish->verbose && k < KINDS; k++)
		printf("%" PRIu64 " of %s\n", n[k], kinds[k]->name);
	fflush(stdout);
#ifdef SANITIZED
	return __lsan_do_recoverable_leak_check();
#else
	return 0;
#endif
}

static int run_jobs(const struct wish *wish)
{
	uint64_t since_ms = now_ms();
	unsigned failed = 0;
	for (unsigned job = 0; job < wish->jobs; job++) {
		fflush(stdout);
		pid_t pid = fork();
		if (pid < 0)
			abort();
		if (pid == 0)
			_exit(run_job(wish, job));
	}
	for (int status; wait(&status) > 0;)
		failed += status != 0;
	struct rusage used;
	getrusage(RUSAGE_CHILDREN, &used);
	double took_s = (double)(now_ms() - since_ms + 1) / 1000;
	double core_s = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
			(double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec + 1) / 1e6;
	printf("%" PRIu64 " histories, seeds %" PRIu64 " to %" PRIu64 ", in %.1f s (%.0f a second and core)%s\n", wish->n,
		wish->first, wish->first + wish->n - 1, took_s, (double)wish->n / core_s, failed ? ": FAILED" : ", none failed");
	return failed != 0;
}

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < KINDS; i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	fprintf(stderr, "sim: no kind of history is called %s\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct wish wish = { .first = 1, .n = 1000000, .jobs = cores > 0 ? (unsigned)cores : 1 };
	for (int c; (c = getopt(argc, argv, "n:s:j:k:v")) != -1;)
		switch (c) {
		case 'n':
			wish.n = strtoull(optarg, NULL, 10);
			break;
		case 's':
			wish.first = strtoull(optarg, NULL, 10);
			break;
		case 'j':
			wish.jobs = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'k':
			wish.only = find_kind(optarg);
			break;
		case 'v':
			wish.verbose = true;
			break;
		default:
			return 2;
		}
	if (wish.n < wish.jobs)
		wish.jobs = (unsigned)wish.n;
	if (wish.jobs < 1 || wish.jobs > JOBS_MOST)
		return 2;
	return run_jobs(&wish);
}
