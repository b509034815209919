/* How many descriptors a server may have, raising the system's limit, and running with fewer than wanted.
 *
 * Needed descriptors are counted: open ones, those that the run will open for itself, and those of each client. All others make
 * it faster or closes gentler: pipes for splice, lingering closes. If the system allows everything there is room for all of it;
 * if not, clients come first. */
#include "server/server.h"

#include "base/sys.h"
#include "loop/child.h"
#include "capture/expect.h"
#include "capture/transcript.h"
#include "server/access.h"
#include "net/resolve.h"
#include "capture/observers.h"
#include "tls/tls.h"

#include <stdio.h>
#include <sys/resource.h>

enum {
	OWN_DESCRIPTORS = 32, /* listeners, stdio, signals, the loop's own */
	UNLIMITED_MOST = 65536,
	SOON = 8,  /* two listeners and the folder of one, /dev/null, the port file and its folder, a refused client, one to
		      spare */
	START = 5, /* while a program starts: its ends of pipes, and our standard error for it */
	ASK = 8,   /* while a name is resolved, and its addresses are tried */
	POLITE = 4 /* this share of the rest is kept for lingering closes */
};

/* --max 0: as many as the system allows. */
static size_t rlimit_unlimited(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max == RLIM_INFINITY || limit.rlim_max > UNLIMITED_MOST)
		return UNLIMITED_MOST;
	return (size_t)limit.rlim_max;
}

static size_t clients_of(const struct conf *conf, uint32_t max)
{
	const struct limit_conf *limit = conf_get(conf, &limit_opts);
	return max != 0 ? max : (size_t)limit->max;
}

/* How many files of observers belong to one connection (%c), or else to the run. */
static size_t output_files(const struct conf *conf, bool apart)
{
	const struct observer_conf *tap = conf_get(conf, &observer_opts);
	const char *const files[] = { tap->transcript, tap->record, tap->log_raw, tap->pcap };
	size_t n = 0;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		n += files[i] != NULL && (files[i] != tap->pcap && transcript_apart(files[i])) == apart;
	return n;
}

static size_t each_of(const struct conf *conf, const struct service *service)
{
	return 1 + (service != NULL ? service->descriptors : 0) + output_files(conf, true);
}

size_t server_descriptors(const struct conf *conf, uint32_t max, const struct service *service)
{
	size_t clients = clients_of(conf, max);
	return clients == 0 ? rlimit_unlimited() : clients * each_of(conf, service) + LINGER_MOST + OWN_DESCRIPTORS;
}

/* Also unknown inherited ones. */
static size_t held_below(size_t fds)
{
	size_t n = 0;
	for (size_t fd = 0; fd < fds; fd++)
		n += fcntl((int)fd, F_GETFD) >= 0;
	return n;
}

static size_t own_of(const struct conf *conf, const struct service *service)
{
	const struct expect_conf *expect = conf_get(conf, &expect_opts);
	const struct tls_conf *tls = conf_get(conf, &tls_opts);
	const struct addr *far = service->dials != NULL ? service->dials(conf) : NULL;
	size_t own = SOON + output_files(conf, false) + (expect->file != NULL) + (tls->keylog != NULL);
	own += (service->needs & RUNS_COMMAND) != 0 ? START : 0;
	return own + (far != NULL && resolve_asks(far) ? ASK : 0);
}

/* Raises the soft limit as far as wanted and possible; programs that we start get the old one. */
static int raise_limit(struct rlimit *limit, size_t wanted, struct err *e)
{
	rlim_t most = limit->rlim_max == RLIM_INFINITY || limit->rlim_max > wanted ? (rlim_t)wanted : limit->rlim_max;
	if (limit->rlim_cur == RLIM_INFINITY || limit->rlim_cur >= most)
		return 0;
	child_files_limit(limit);
	limit->rlim_cur = most;
	return setrlimit(RLIMIT_NOFILE, limit) == 0
		       ? 0
		       : err_set(e, ERR_USAGE, errno, "raise the limit of open files to %zu", (size_t)most);
}

/* allowed: fewer than wanted. */
static int share_out(const struct run *run, bool dgram, size_t allowed, size_t wanted_clients, bool asked,
	const struct service *service, struct server_shares *out, struct err *e)
{
	size_t each = each_of(run->conf, service) - dgram; /* all datagram peers share one socket */
	size_t own = held_below(allowed) + own_of(run->conf, service);
	size_t left = allowed > own ? allowed - own : 0, least = asked ? wanted_clients : 1;
	if (left < least * each)
		return err_set(e, ERR_USAGE, 0, "this run needs %zu open files and the system allows %zu; %s", own + least * each,
			allowed, least > 1 ? "lower --max, or raise the limit (ulimit -n)" : "raise the limit (ulimit -n)");
	size_t fit = each == 0 ? wanted_clients : (left - left / POLITE) / each;
	size_t clients = asked ? wanted_clients : fit < wanted_clients ? fit : wanted_clients;
	out->max = (uint32_t)(clients > 0 ? clients : 1);
	left -= out->max * each;
	out->lingers = left < LINGER_MOST ? (unsigned)left : LINGER_MOST;
	out->pipes = (unsigned)(left - out->lingers) / 2;
	return 0;
}

int server_limits(const struct run *run, bool dgram, const struct server_opts *opts, const struct service *service,
	struct server_shares *out, struct err *e)
{
	bool many = !opts->one, asked = many && CONF_GIVEN(run->conf, limit, max);
	size_t clients = clients_of(run->conf, opts->max), wanted = server_descriptors(run->conf, opts->max, service);
	struct rlimit limit;
	*out = (struct server_shares){ .max = opts->max, .lingers = LINGER_MOST, .pipes = POOL_PIPES_MOST };
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return err_set(e, ERR_LOCAL, errno, "ask for the limit of open files");
	if (clients > 0)
		wanted += 2 * POOL_PIPES_MOST;
	bool scarce = limit.rlim_max != RLIM_INFINITY && limit.rlim_max < wanted;
	if (raise_limit(&limit, wanted, e) != 0)
		return -1;
	if (!scarce || clients == 0)
		return 0;
	if (share_out(run, dgram, (size_t)limit.rlim_max, clients, asked, service, out, e) != 0)
		return -1;
	if (many && out->max < clients) {
		char text[128];
		snprintf(text, sizeof text, "the system allows %zu open files: at most %u client%s at a time instead of %zu",
			(size_t)limit.rlim_max, (unsigned)out->max, out->max == 1 ? "" : "s", clients);
		event(run->events, EV_WARN, 0, EV_TEXT("text", text));
	}
	return 0;
}
