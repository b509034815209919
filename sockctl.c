/* sockctl: finds the mode, builds what a run needs, runs it, and turns the result into one line and the exit code.
 *
 * Everything a run shares is opened here in one order and closed in the reverse order. No other file exits or prints an error. */
#include "modes/mode.h"

#include "base/mem.h"
#include "base/sys.h"
#include "cli/args.h"
#include "cli/help.h"
#include "nc/nc.h"
#include "report/out.h"
#include "cli/parse.h"
#include "loop/become.h"
#include "loop/prelude.h"
#include "stream/stdfd.h"
#include "sandbox/sandbox_opts.h"
#include "fault/fault_opts.h"
#include "session/stats.h"
#include "session/session.h"
#include "session/layers.h"

#include <signal.h>

#define MODE_ROW(name) &mode_##name,
static const struct mode *const modes[] = { MODES(MODE_ROW) };
#undef MODE_ROW

enum { MODE_COUNT = sizeof modes / sizeof modes[0], GROUPS_MOST = 47, ARGS_MOST = 4096 };

/* The modes as the command line sees them: each also has the options of the reports, which modes do not know. */
struct menu {
	struct command command[MODE_COUNT];
	const struct command *commands[MODE_COUNT + 1];
	const struct opt_group *groups[MODE_COUNT][GROUPS_MOST + 1];
};

static void menu_fill(struct menu *menu)
{
	for (size_t i = 0; i < MODE_COUNT; i++) {
		size_t n = 0;
		for (const struct opt_group *const *g = modes[i]->cmd.groups; *g != NULL && n + 3 < GROUPS_MOST; g++)
			menu->groups[i][n++] = *g;
		menu->groups[i][n++] = &report_opts;
		menu->groups[i][n++] = &sandbox_opts;
		menu->groups[i][n] = &progress_opts;
		menu->command[i] = modes[i]->cmd;
		menu->command[i].groups = menu->groups[i];
		menu->commands[i] = &menu->command[i];
	}
}

/* Help or the version was requested, not a run. */
static int sockctl_print(const struct parsed *parsed, const struct menu *menu, struct err *e)
{
	int rc = 0;
	if (parsed->what == PARSE_VERSION)
		rc = help_version(stdout);
	else if (parsed->what == PARSE_COMPLETION)
		rc = complete_shell(stdout, parsed->topic, menu->commands, e);
	else if (parsed->what == PARSE_DUMP)
		rc = dump_options(stdout, menu->commands);
	else if (parsed->command != NULL)
		rc = help_mode(stdout, parsed->command);
	else
		rc = help_overview(stdout, menu->commands);
	if (rc != 0 && e->cls == ERR_OK)
		err_set(e, errno == EPIPE ? ERR_PIPE : ERR_LOCAL, errno, "write stdout");
	return rc;
}

static void sockctl_stop(void *arg)
{
	loop_stop(arg);
}

/* Lingering connections get their time, unless a signal ends the run. */
static int wait_for_closes(const struct run *run, struct err *e)
{
	if (run->outcome->signo != 0 || linger_count(run->linger) == 0)
		return 0;
	linger_when_empty(run->linger, sockctl_stop, run->loop);
	return loop_run(run->loop, e);
}

/* A server with lists in files has something to read again (server/access.c); for others this signal means nothing. */
static void on_needless_signal(void *arg, int signo)
{
	(void)arg;
	(void)signo;
}

static int open_run(struct run *run, const struct mode *mode, struct budget *borrows, struct err *e)
{
	const struct loop_conf *conf = conf_get(run->conf, &loop_opts);
	size_t fds = mode->descriptors(run);
	*borrows = (struct budget){ .most = (uint64_t)conf->memory };
	run->budget = borrows;
	const struct loop_backend *backend = loop_pick(conf, fds, e);
	run->loop = backend == NULL ? NULL : loop_open(backend, e);
	if (run->loop == NULL || loop_signal(run->loop, SIGUSR2, on_needless_signal, NULL, e) != 0)
		return -1;
	run->pool = pool_open(mode->block_bytes, 3 * fds); /* of each connection both ways, and what TLS has to send */
	if (run->pool != NULL) {
		pool_budget(run->pool, borrows);
		if (conf->no_splice)
			pool_copy_only(run->pool);
	}
	run->linger = linger_open(run->loop);
	return run->pool != NULL && run->linger != NULL ? 0 : err_set(e, ERR_LOCAL, ENOMEM, "start");
}

static void close_run(struct run *run)
{
	linger_close(run->linger);
	layers_stop(run);
	pool_close(run->pool);
	loop_close(run->loop);
}

/* From here on the exit code is fixed: a later signal has no effect. */
static void signals_off(void)
{
	sigset_t ending;
	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGHUP);
	sigprocmask(SIG_BLOCK, &ending, NULL);
}

static void tell_start(const struct run *run, const char *mode, int argc, char *const argv[])
{
	char args[ARGS_MOST];
	args_text(args, sizeof args, argc, argv);
	event(run->events, EV_START, 0, EV_NUM("pid", getpid()), EV_TEXT("version", SOCKCTL_VERSION), EV_TEXT("mode", mode),
		EV_TEXT("args", args), EV_NUM("seed", run->seed));
}

static int exit_code(const struct outcome *outcome, const struct persona *persona)
{
	if (outcome->signo != 0)
		return 128 + outcome->signo;
	int code = outcome->first.cls != ERR_OK ? (int)outcome->first.cls : outcome->child_status;
	return persona != NULL && code > persona->worst ? persona->worst : code;
}

/* A command of --run may have said why it failed, or was not found. */
static int say_end(struct out *out, const struct outcome *outcome, const struct persona *persona, struct err *e)
{
	char words[64];
	const char *cls = err_class_name(outcome->first.cls), *error = NULL;
	if (outcome->signo != 0) {
		cls = "signal";
	} else if (outcome->first.cls != ERR_OK) {
		error = outcome->first.what[0] != '\0' ? outcome->first.what : NULL;
	} else if (outcome->child_status != 0) {
		cls = "child";
		error = words;
		snprintf(words, sizeof words, "the command ended with status %d", outcome->child_status);
	}
	return out_end(out, exit_code(outcome, persona), cls, error, e);
}

/* Events that cannot be written to their end are a failure of the run, which the remaining streams report. */
static void tell_end(struct out *out, struct outcome *outcome, const struct persona *persona)
{
	struct err e = { 0 };
	while (say_end(out, outcome, persona, &e) != 0)
		err_keep(&outcome->first, &e);
}

static int run_mode(const struct parsed *parsed, const struct menu *menu, int argc, char **argv, const struct persona *persona,
	struct outcome *outcome)
{
	const struct mode *mode = modes[parsed->command - menu->command];
	const struct progress_conf *progress = conf_get(parsed->conf, &progress_opts);
	const struct clock_conf *clocks = conf_get(parsed->conf, &clock_opts);
	prelude_begin(clocks->lifetime_ms);
	struct out *out = out_open(conf_get(parsed->conf, &report_opts), progress, persona, &outcome->first);
	if (out == NULL) {
		prelude_called_off(&outcome->signo, &outcome->first);
		prelude_end();
		return -1;
	}
	struct layers layers = { 0 };
	struct sandbox_run sandbox = { 0 };
	struct run run = { .conf = parsed->conf,
		.events = out_sink(out),
		.outcome = outcome,
		.layers = &layers,
		.sandbox = &sandbox,
		.seed = faults_seed(parsed->conf),
		.argc = parsed->argc,
		.argv = parsed->argv };
	if (parsed->after > 0 && parsed->after < parsed->argc) {
		run.argc -= parsed->after;
		run.command = run.argv + run.argc;
	}
	struct err e = { 0 };
	tell_start(&run, mode->cmd.name, argc, argv);
	struct budget budget;
	int rc = open_run(&run, mode, &budget, &e);
	if (rc == 0) {
		out_watch(out, run.loop);
		run.stats = stats_open(&run, progress_every_ms(progress), progress->size_bytes, &e);
		rc = run.stats != NULL ? mode->run(&run, &e) : -1;
	}
	if (rc != 0)
		prelude_called_off(&outcome->signo, &e);
	if (rc != 0 && outcome->signo == 0)
		err_keep(&outcome->first, &e);
	prelude_end();
	e.cls = ERR_OK;
	if (run.linger != NULL && wait_for_closes(&run, &e) != 0)
		err_keep(&outcome->first, &e);
	signals_off();
	stats_close(run.stats);
	out_watch(out, NULL);
	close_run(&run);
	sandbox_run_close(&run);
	faults_name_seed(&run, &outcome->first);
	if (persona != NULL)
		persona->judge(persona->arg, &outcome->first);
	tell_end(out, outcome, persona);
	out_close(out);
	if (outcome->becomes != NULL) /* in the line that outlives the parser's copy of it */
		outcome->becomes = argv + argc - parsed->after;
	return 0;
}

static int sockctl_start(int argc, char **argv, const struct persona *persona, struct outcome *outcome)
{
	static struct menu menu;
	struct parsed parsed = { 0 };
	struct err *e = &outcome->first;
	if (sys_seam_open(e) != 0)
		return -1;
	menu_fill(&menu);
	if (parse_line(&parsed, argc, argv, menu.commands, e) != 0)
		return -1;
	if (parsed.what != PARSE_RUN)
		return sockctl_print(&parsed, &menu, e);
	int rc = run_mode(&parsed, &menu, argc - 2, argv + 2, persona, outcome);
	conf_free(parsed.conf);
	mem_free(parsed.argv);
	return rc;
}

/* An nc line is translated into one of ours. */
static int start_nc(struct nc *nc, int argc, char **argv, struct outcome *outcome)
{
	if (nc_read(nc, argc, argv, &outcome->first) != 0)
		return -1;
	if (!nc->help)
		return sockctl_start(nc->argc, nc->argv, &nc->persona, outcome);
	return nc_help(stdout) == 0 ? 0 : err_set(&outcome->first, ERR_LOCAL, errno, "write stdout");
}

/* Dies as if the signal had not been caught, so that the parent sees it. */
static int die_of(int signo)
{
	sigset_t one;
	sigemptyset(&one);
	sigaddset(&one, signo);
	signal(signo, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	raise(signo);
	return 128 + signo;
}

int main(int argc, char **argv)
{
	static struct nc nc;
	const struct persona *persona = nc_called(argv[0]) ? &nc.persona : NULL;
	struct outcome outcome = { 0 };
	become_note();
	stdfd_guard();
	int rc = persona != NULL ? start_nc(&nc, argc, argv, &outcome) : sockctl_start(argc, argv, NULL, &outcome);
	if (rc != 0 && outcome.signo == 0)
		out_cry(persona, outcome.first.what);
	stdfd_restore();
	sys_seam_close();
	if (outcome.becomes != NULL && exit_code(&outcome, persona) == 0 && become(outcome.becomes, &outcome.first) != 0)
		out_cry(persona, outcome.first.what);
	return outcome.signo != 0 ? die_of(outcome.signo) : exit_code(&outcome, persona);
}
