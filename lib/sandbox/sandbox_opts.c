/* From options and needs to what is given up (sandbox_opts.h). */
#include "sandbox/sandbox_opts.h"

#include "base/text.h"
#include "stream/stdfd.h"
#include "proxy/proxy.h"
#include "net/resolve.h"
#include "tls/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct opt rows[] = {
	{ .name = "sandbox",
		.kind = OPT_CHOICE,
		.off = offsetof(struct sandbox_conf, sandbox),
		.arg = "auto|strict|off",
		.def = "auto",
		.help = "give up all rights that are not needed",
		.man = "Once everything is open, bound and loaded the process gives up what it no longer needs (Linux: no new "
		       "privileges, Landlock, a seccomp filter). From then on it cannot open files, start programs, make "
		       "connections or look at other processes, even if a peer takes it over; what options need is left: files "
		       "of --file and of names with %c can be opened in their folder, --forward and --reconnect can connect. "
		       "auto, the default, takes what the system offers, and nothing where programs are started (--exec, a "
		       "command after --) or names are asked for again and again (--forward or --reconnect to a name rather "
		       "than a number). strict refuses to run (status 2) where a part cannot be had. -v says what is in force." },
	{ .name = "user",
		.kind = OPT_TEXT,
		.off = offsetof(struct sandbox_conf, user),
		.arg = "NAME",
		.help = "as root: become this user once all is bound",
		.man = "Started by root, the process becomes the user NAME (or number), with that user's groups, once its "
		       "sockets are bound and its files are open; connect, once it is connected. It cannot become root again. "
		       "Programs of --exec and --run run as that user. What is opened later (--file, names with %c) must be open "
		       "to that user: it is asked before anything listens. The port file and a Unix socket can be removed at the "
		       "end only where that user may." },
	{ .name = "chroot",
		.kind = OPT_TEXT,
		.off = offsetof(struct sandbox_conf, chroot),
		.arg = "DIR",
		.help = "as root: see no files outside DIR",
		.man = "Started by root, the process makes DIR its root folder at the same moment as --user. Programs of --exec "
		       "and --run must be found in there. It cannot be used with options that open files by name later, nor as "
		       "root without a sandbox, because root can leave such a folder." },
	{ 0 },
};
const struct opt_group sandbox_opts = { .title = "Confinement", .size = sizeof(struct sandbox_conf), .rows = rows };

struct gathering {
	struct sandbox *plan;
	const struct privdrop *who;
	struct err *e;
	bool failed;
};

/* A name without a %c is open already; no more files are created. */
static void sandbox_run_gather(void *arg, unsigned needs, const char *text)
{
	struct gathering *g = arg;
	bool later = !(needs & NEEDS_WRITE) || strstr(text, "%c") != NULL;
	if (!later || g->failed)
		return;
	g->plan->needs |= needs;
	if (needs & (NEEDS_READ | NEEDS_WRITE))
		g->failed = sandbox_folder(g->plan, text, needs, g->e) != 0;
}

/* Opened later, as the other user: a failure is found now and not with every client. */
static void try_as_user(void *arg, unsigned needs, const char *text)
{
	struct gathering *g = arg;
	char path[4096], shown[256];
	bool writes = (needs & NEEDS_WRITE) != 0;
	if (g->failed || (needs & (NEEDS_READ | NEEDS_WRITE)) == 0 || (writes && strstr(text, "%c") == NULL))
		return;
	const char *slash = strrchr(text, '/');
	int n = !writes ? (int)strlen(text) : slash == NULL ? 0 : slash == text ? 1 : (int)(slash - text);
	snprintf(path, sizeof path, "%.*s", n > 0 ? n : 1, n > 0 ? text : ".");
	if (writes && strstr(path, "%c") != NULL) /* one for each connection: cannot be checked */
		return;
	int sys = privdrop_may(g->who, path, writes ? W_OK | X_OK : R_OK);
	if (sys == 0)
		return;
	text_show(shown, sizeof shown, path, strlen(path));
	g->failed = true;
	err_set(g->e, ERR_USAGE, sys, "--user %.64s cannot %s %s", g->who->name, writes ? "make files in" : "read", shown);
}

/* A name that must be resolved: the resolver's helper needs all of the system's means. */
static bool sandbox_run_asks(const struct run *run, const struct addr *a)
{
	const struct proxy *proxy = proxy_of(run);
	bool far = proxy == NULL && CONF_GIVEN(run->conf, proxy, url); /* --forward's own, which is not visible here */
	return far || resolve_asks(a) || (proxy != NULL && resolve_asks(&proxy->addr));
}

void sandbox_run_dials(const struct run *run, const struct addr *a)
{
	struct sandbox_run *c = run->sandbox;
	if (c == NULL || a == NULL)
		return;
	c->plan.needs |= NEEDS_DIAL | (sandbox_run_asks(run, a) ? NEEDS_NAMES : 0u);
	c->asks_authorities |= tls_reads_later(run, a);
}

static int gather_all(const struct run *run, unsigned needs, struct err *e)
{
	struct sandbox_run *c = run->sandbox;
	struct gathering g = { .plan = &c->plan, .e = e };
	c->plan.needs |= needs | (run->command != NULL ? NEEDS_EXEC : 0u);
	conf_needs(run->conf, sandbox_run_gather, &g);
	if (g.failed || (!c->asks_authorities && !tls_reads_later(run, NULL)))
		return g.failed ? -1 : 0;
	c->plan.needs |= NEEDS_READ; /* such folders are full of links to others */
	return sandbox_folder(&c->plan, "/", NEEDS_READ, e);
}

static const char *why_off(const struct sandbox_conf *conf, unsigned needs)
{
	if (conf->sandbox == SANDBOX_OFF)
		return "--sandbox off";
	if (needs & NEEDS_EXEC)
		return "programs are started";
	return needs & NEEDS_NAMES ? "names are asked for with each connection" : NULL;
}

/* lacks: why there is no sandbox, or no whole one. */
static int check_chroot(const struct sandbox_run *c, const char *lacks, struct err *e)
{
	bool escapes = lacks != NULL && (!c->who.user || c->who.uid == 0 || (c->plan.needs & NEEDS_UNLINK));
	if (!c->who.root)
		return 0;
	if (c->plan.needs & (NEEDS_READ | NEEDS_WRITE | NEEDS_NAMES))
		return err_set(e, ERR_USAGE, 0, "--chroot: what is opened by name later would not be found there");
	if (escapes)
		return err_set(e, ERR_USAGE, 0, "--chroot: without a sandbox (%s) the process could leave it%s", lacks,
			c->who.user ? "" : "; say --user, too");
	return 0;
}

int sandbox_run_prepare(const struct run *run, unsigned needs, struct err *e)
{
	struct sandbox_run *c = run->sandbox;
	if (c == NULL || c->prepared)
		return 0;
	const struct sandbox_conf *conf = conf_get(run->conf, &sandbox_opts);
	c->prepared = true;
	if (gather_all(run, needs, e) != 0)
		return -1;
	c->off = why_off(conf, c->plan.needs);
	const char *lacks = c->off != NULL ? c->off : sandbox_lacks();
	if (conf->sandbox == SANDBOX_STRICT && lacks != NULL)
		return err_set(e, ERR_USAGE, 0, "--sandbox strict: %s", lacks);
	if (privdrop_find(&c->who, conf->user, conf->chroot, e) != 0 || check_chroot(c, lacks, e) != 0)
		return -1;
	struct gathering g = { .who = &c->who, .e = e };
	conf_needs(run->conf, try_as_user, &g);
	return g.failed ? -1 : 0;
}

void sandbox_run_hold(const struct run *run, int folder_fd)
{
	if (run->sandbox != NULL)
		sandbox_hold(&run->sandbox->plan, folder_fd);
}

void sandbox_run_reread(const struct run *run, int folder_fd)
{
	if (run->sandbox != NULL)
		sandbox_reread(&run->sandbox->plan, folder_fd);
}

/* What could not be opened later: in the sandbox, or in a bare chroot. */
void sandbox_run_keep(const struct run *run)
{
	if (run->sandbox == NULL || run->sandbox->off != NULL)
		return;
	stdfd_keep_null();
	sa_keep_zones();
}

int sandbox_run_drop(const struct run *run, struct err *e)
{
	struct sandbox_run *c = run->sandbox;
	if (c == NULL || c->dropped)
		return 0;
	c->dropped = true;
	sandbox_run_keep(run);
	return privdrop_become(&c->who, e);
}

static void sandbox_run_add(char *list, size_t cap, const char *word)
{
	size_t n = strlen(list);
	snprintf(list + n, cap - n, "%s%s", n > 0 ? ", " : "", word);
}

/* lacks: what this system lacks, if anything; found before, because afterwards no call can tell. */
static void sandbox_run_tell(const struct run *run, const struct sandbox_got *got, const char *lacks)
{
	static const struct {
		unsigned need;
		const char *word;
	} kept[] = { { NEEDS_READ, "files to read" }, { NEEDS_LISTS, "lists" }, { NEEDS_WRITE, "files to make" },
		{ NEEDS_DIAL, "connections" } };
	const struct sandbox_run *c = run->sandbox;
	const char *state = got->calls && got->landlock > 0 ? "on" : got->calls || got->landlock > 0 ? "part" : "off";
	char keeps[96] = "", words[256];
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
		if (c->plan.needs & kept[i].need)
			sandbox_run_add(keeps, sizeof keeps, kept[i].word);
	const char *why = c->off != NULL ? c->off : lacks;
	if (!got->calls && got->landlock == 0)
		snprintf(words, sizeof words, "no sandbox: %s", why);
	else
		snprintf(words, sizeof words, "sandbox: %s%sfiles are %s%s%s", got->calls ? "calls are filtered" : "",
			got->calls ? ", " : "", got->landlock > 0 ? "restricted" : "not", *keeps != '\0' ? "; left: " : "",
			keeps);
	event(run->events, EV_SANDBOX, 0, EV_TEXT("state", state), EV_BOOL("seccomp", got->calls),
		EV_SOME("landlock", got->landlock), EV_WORDS("left", *keeps != '\0' ? keeps : NULL), EV_TEXT("why", why),
		EV_TEXT("user", c->who.name), EV_TEXT("chroot", c->who.path), EV_TEXT("words", words));
}

int sandbox_run_seal(const struct run *run, struct err *e)
{
	struct sandbox_run *c = run->sandbox;
	struct sandbox_got got = { 0 };
	const char *lacks = NULL;
	if (c == NULL || c->sealed)
		return 0;
	const struct sandbox_conf *conf = conf_get(run->conf, &sandbox_opts);
	c->sealed = true;
	if (c->off == NULL) {
		lacks = sandbox_lacks();
		if (sandbox_apply(&c->plan, conf->sandbox == SANDBOX_STRICT, &got, e) != 0)
			return -1;
	}
	sandbox_run_tell(run, &got, lacks);
	return 0;
}

void sandbox_run_close(const struct run *run)
{
	if (run->sandbox == NULL)
		return;
	stdfd_free_null();
	sa_free_zones();
	sandbox_close(&run->sandbox->plan);
	privdrop_close(&run->sandbox->who);
}
