/* The decision to admit a peer. Pure: the same questions at the same times get the same answers.
 *
 * The order of the checks matters: a denied peer learns nothing about free places, and only a peer that passes all others takes a
 * token of the rate. Places per address are counted only with --max-per-ip, in a table of the addresses that have one now; an
 * IPv6 client counts as its /64, which is what one customer gets. */
#include "server/access.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/table.h"
#include "server/acl.h"
#include "proxy/proxy_accept.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { MAX_CLIENTS = 1000000, TOKEN = 1000 /* a bucket fills by rate thousandths of a token each millisecond */ };

struct holder { /* an address with places */
	struct table_node node;
	uint16_t family;
	unsigned char net[8];
	uint32_t places;
};

struct access_lists {
	struct acl allow, deny, proxies;
};

struct access {
	struct access_lists lists;
	struct acl_past past;
	const struct run *run;
	struct table holders;
	uint32_t max, per_ip, active; /* limits: 0: none */
	int64_t rate, tokens, filled_ms;
	bool filled, draining;
	bool only_allowed;	  /* --allow was given, even if its file is empty */
	bool announced;		  /* clients come through proxies: --proxy-in */
	bool any_local, any_unix; /* what --proxy-from allows without an address */
};

/* "20" or "20/s": there is no other unit. */
static int read_rate(void *block, const char *text, struct err *e)
{
	char number[32];
	struct limit_conf *conf = block;
	size_t n = strcspn(text, "/");
	if (n >= sizeof number || (text[n] != '\0' && strcmp(text + n, "/s") != 0))
		return err_set(e, ERR_USAGE, 0, "expected a number of clients a second, as 20 or 20/s");
	memcpy(number, text, n);
	number[n] = '\0';
	return num_int(number, 0, MAX_CLIENTS, &conf->rate, e);
}

#define AT(field) .off = offsetof(struct limit_conf, field)
static const struct opt limit_rows[] = {
	{ .name = "max",
		.kind = OPT_INT,
		AT(max),
		.arg = "N",
		.def = "100",
		.max = MAX_CLIENTS,
		.help = "at most N clients at once (0: no limit)",
		.man = "At most N clients at once; 0 is no limit. If the system allows fewer open files than N clients need "
		       "(ulimit -n), the default is lowered to what fits, which is said, and an N that was asked for is refused." },
	{ .name = "max-per-ip",
		.kind = OPT_INT,
		AT(per_ip),
		.arg = "N",
		.max = MAX_CLIENTS,
		.help = "at most N clients at once from one address",
		.man = "At most N clients at once from one IPv4 address or one IPv6 /64. 0, the default, is no such limit." },
	{ .name = "conn-rate",
		.kind = OPT_HOOK,
		AT(rate),
		.arg = "N[/s]",
		.hook = read_rate,
		.help = "at most N new clients a second",
		.man = "At most N new clients a second, all together; any more are closed at once. 0, the default, is no limit, "
		       "except for --exec and --forward over UDP, where it is 10: addresses can be forged." },
	{ 0 },
};
#undef AT
const struct opt_group limit_opts = { .title = "Who may come in", .size = sizeof(struct limit_conf), .rows = limit_rows };

#define AT(field) .off = offsetof(struct access_conf, field)
static const struct opt rows[] = {
	{ .name = "allow",
		.kind = OPT_LIST,
		AT(allow),
		.arg = "CIDR|NAME|@FILE",
		.help = "accept only these clients",
		.man = "Accept only these clients: an address, a network as ADDRESS/BITS, a name (resolved at start), or @FILE "
		       "with one of them a line and # comments. May be given again and again. SIGUSR2 has the files read again, also "
		       "in the sandbox: all of them, or, if a line is wrong, none, which is said; clients that are in stay. Names "
		       "keep the addresses that they had at start. Connections from others are closed without a byte. IPv4 clients of an IPv6 socket count as IPv4. Clients of Unix sockets are not checked." },
	{ .name = "deny",
		.kind = OPT_LIST,
		AT(deny),
		.arg = "CIDR|NAME|@FILE",
		.help = "never accept these clients",
		.man = "Never accept these clients, written as for --allow. It is stronger than --allow." },
	{ 0 },
};
const struct opt_group access_opts = { .title = "Who may come in", .size = sizeof(struct access_conf), .rows = rows };

const char *access_name(enum access_answer v)
{
	static const char *const names[] = {
		[ACCESS_YES] = "yes",
		[ACCESS_FULL] = "full",
		[ACCESS_PER_IP] = "per_ip",
		[ACCESS_RATE] = "rate",
		[ACCESS_DENY] = "deny",
		[ACCESS_DRAIN] = "drain",
		[ACCESS_PROXY] = "proxy",
	};
	return names[v];
}

static void lists_free(struct access_lists *lists)
{
	acl_free(&lists->allow);
	acl_free(&lists->deny);
	acl_free(&lists->proxies);
}

static int read_proxies(struct access *a, struct acl *into, struct err *e)
{
	const struct proxy_accept_conf *conf = conf_get(a->run->conf, &proxy_accept_opts);
	if (conf == NULL)
		return 0;
	a->announced = conf->versions != 0;
	a->any_local = a->any_unix = conf->from.n == 0;
	for (size_t i = 0; i < conf->from.n; i++) {
		const struct opt_list one = { .n = 1, .v = conf->from.v + i };
		if (strcmp(conf->from.v[i], "unix") == 0)
			a->any_unix = true;
		else if (acl_read(into, a->run, &a->past, "--proxy-from", &one, e) != 0)
			return -1;
	}
	return 0;
}

/* All lists, in place of those that were; where one is wrong nothing is changed. */
static int read_lists(struct access *a, struct err *e)
{
	const struct access_conf *conf = conf_get(a->run->conf, &access_opts);
	struct access_lists fresh = { 0 };
	if (acl_read(&fresh.deny, a->run, &a->past, "--deny", &conf->deny, e) != 0 ||
		acl_read(&fresh.allow, a->run, &a->past, "--allow", &conf->allow, e) != 0 ||
		read_proxies(a, &fresh.proxies, e) != 0) {
		lists_free(&fresh);
		return -1;
	}
	lists_free(&a->lists);
	a->lists = fresh;
	return 0;
}

static void on_reread_signal(void *arg, int signo)
{
	struct access *a = arg;
	const struct access_lists *lists = &a->lists;
	struct err e = { 0 };
	char words[sizeof e.what + 64];
	(void)signo;
	if (read_lists(a, &e) != 0) {
		snprintf(words, sizeof words, "SIGUSR2: %s; the lists stay as they were", e.what);
		event(a->run->events, EV_WARN, 0, EV_TEXT("text", words));
		return;
	}
	snprintf(words, sizeof words, "%zu allowed, %zu denied, %zu proxies", lists->allow.n, lists->deny.n, lists->proxies.n);
	event(a->run->events, EV_LISTS, 0, EV_NUM("allow", lists->allow.n), EV_NUM("deny", lists->deny.n),
		EV_NUM("proxies", lists->proxies.n), EV_TEXT("words", words));
}

/* Read for the first time. SIGUSR2 is heard where a file is among them. */
static int open_lists(struct access *a, struct err *e)
{
	if (read_lists(a, e) != 0)
		return -1;
	a->past.later = true;
	return a->past.files_n == 0 ? 0 : loop_signal(a->run->loop, SIGUSR2, on_reread_signal, a, e);
}

struct access *access_open(const struct run *run, uint32_t max, struct err *e)
{
	const struct access_conf *conf = conf_get(run->conf, &access_opts);
	const struct limit_conf *limit = conf_get(run->conf, &limit_opts);
	struct access *a = mem_new(sizeof *a);
	if (a == NULL) {
		err_set(e, ERR_LOCAL, 0, "no memory for the limits of clients");
		return NULL;
	}
	table_init(&a->holders, run->seed);
	a->max = max != 0 ? max : (uint32_t)limit->max;
	a->per_ip = (uint32_t)limit->per_ip;
	a->rate = limit->rate;
	a->only_allowed = conf->allow.n > 0;
	a->run = run;
	if (open_lists(a, e) == 0)
		return a;
	access_close(a);
	return NULL;
}

static void access_forget(struct table_node *node, void *arg)
{
	table_remove(arg, node);
	mem_free(node); /* the first member of its holder */
}

void access_close(struct access *takes)
{
	if (takes == NULL)
		return;
	table_each(&takes->holders, access_forget, &takes->holders);
	table_free(&takes->holders);
	if (takes->past.files_n > 0)
		loop_signal(takes->run->loop, SIGUSR2, NULL, NULL, NULL);
	lists_free(&takes->lists);
	acl_past_free(&takes->past);
	mem_free(takes);
}

/* --- places per address --- */

_Static_assert(offsetof(struct holder, node) == 0, "a node is its holder");

/* What counts as one address; false for Unix peers, which are not limited. */
static bool key_of(const struct sa *peer, struct holder *key)
{
	unsigned char net[16];
	size_t n = acl_bytes(peer, net);
	*key = (struct holder){ .family = peer->family };
	memcpy(key->net, net, n < sizeof key->net ? n : sizeof key->net);
	return n > 0;
}

static bool access_same_holder(const struct table_node *node, const void *key)
{
	const struct holder *a = (const struct holder *)(const void *)node, *b = key;
	return a->family == b->family && memcmp(a->net, b->net, sizeof a->net) == 0;
}

static struct holder *access_find(const struct access *a, const struct holder *key, uint32_t *hash)
{
	*hash = table_hash(&a->holders, key->net, sizeof key->net);
	return (struct holder *)(void *)table_find(&a->holders, *hash, access_same_holder, key);
}

static struct holder *add_holder(struct access *a, const struct holder *key, uint32_t hash)
{
	struct holder *h = mem_new(sizeof *h);
	if (h == NULL)
		return NULL;
	*h = *key;
	if (table_add(&a->holders, &h->node, hash) == 0)
		return h;
	mem_free(h);
	return NULL;
}

/* Takes one of the address's places. Without memory to count it there is none. */
static bool take_place(struct access *a, const struct sa *peer)
{
	struct holder key;
	uint32_t hash = 0;
	if (a->per_ip == 0 || !key_of(peer, &key))
		return true;
	struct holder *h = access_find(a, &key, &hash);
	if (h == NULL)
		h = add_holder(a, &key, hash);
	if (h == NULL || h->places >= a->per_ip)
		return false;
	h->places++;
	return true;
}

static void give_place(struct access *a, const struct sa *peer)
{
	struct holder key;
	uint32_t hash = 0;
	if (a->per_ip == 0 || !key_of(peer, &key))
		return;
	struct holder *h = access_find(a, &key, &hash);
	if (h != NULL && --h->places == 0)
		access_forget(&h->node, &a->holders);
}

/* --- the decision --- */

static bool has_token(struct access *a, int64_t now_ms)
{
	int64_t most = a->rate * TOKEN, past_ms = now_ms - a->filled_ms;
	if (a->rate == 0)
		return true;
	if (!a->filled || past_ms >= TOKEN)
		a->tokens = most;
	else if (past_ms > 0)
		a->tokens = a->tokens + past_ms * a->rate < most ? a->tokens + past_ms * a->rate : most;
	a->filled = true;
	a->filled_ms = now_ms;
	return a->tokens >= TOKEN;
}

static bool take_token(struct access *a, int64_t now_ms)
{
	bool has = has_token(a, now_ms);
	if (has && a->rate != 0)
		a->tokens -= TOKEN;
	return has;
}

static bool access_denied(const struct access *a, const struct sa *peer)
{
	if (peer->family == AF_UNIX)
		return false;
	return acl_has(&a->lists.deny, peer) || (a->only_allowed && !acl_has(&a->lists.allow, peer));
}

static bool access_trusted(const struct access *a, const struct sa *peer)
{
	if (peer->family == AF_UNIX)
		return a->any_unix;
	return (a->any_local && sa_loopback(peer)) || acl_has(&a->lists.proxies, peer);
}

enum access_answer access_announced(const struct access *a, const struct sa *peer)
{
	return access_denied(a, peer) ? ACCESS_DENY : ACCESS_YES;
}

enum access_answer access_ask(struct access *a, const struct sa *peer, int64_t now_ms)
{
	if (a->announced && !access_trusted(a, peer))
		return ACCESS_PROXY;
	if (!a->announced && access_denied(a, peer))
		return ACCESS_DENY;
	if (a->draining)
		return ACCESS_DRAIN;
	if (a->max != 0 && a->active >= a->max)
		return ACCESS_FULL;
	if (!take_place(a, peer))
		return ACCESS_PER_IP;
	if (!take_token(a, now_ms)) {
		give_place(a, peer);
		return ACCESS_RATE;
	}
	a->active++;
	return ACCESS_YES;
}

bool access_same(const struct sa *a, const struct sa *b)
{
	struct holder one, other;
	return key_of(a, &one) && key_of(b, &other) && one.family == other.family &&
	       memcmp(one.net, other.net, sizeof one.net) == 0;
}

enum access_answer access_lacks(struct access *a, const struct sa *peer, int64_t now_ms)
{
	struct holder key;
	uint32_t hash = 0;
	const struct holder *h = a->per_ip != 0 && key_of(peer, &key) ? access_find(a, &key, &hash) : NULL;
	if (!has_token(a, now_ms))
		return ACCESS_RATE;
	return h != NULL && h->places >= a->per_ip ? ACCESS_PER_IP : ACCESS_YES;
}

void access_leave(struct access *a, const struct sa *peer)
{
	a->active--;
	give_place(a, peer);
}

void access_rate(struct access *a, uint32_t a_second)
{
	a->rate = a_second;
}

void access_drain(struct access *a)
{
	a->draining = true;
}

uint32_t access_active(const struct access *a)
{
	return a->active;
}

uint32_t access_max(const struct access *a)
{
	return a->max;
}
