/* From options and addresses to layers (taps.h). What watches and writes lives in io; here is what a run knows: which files,
 * whose connection, and that a file which broke makes the run fail in its end, but stops no traffic. */
#include "net/taps.h"

#include "base/mem.h"
#include "base/text.h"
#include "io/capture.h"
#include "io/expect.h"
#include "io/transcript.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct opt rows[] = {
	{ .name = "transcript",
		.kind = OPT_TEXT,
		.off = offsetof(struct tap_conf, transcript),
		.arg = "FILE",
		.help = "write what passes into FILE, as text",
		.man = "Writes what passes in either direction into FILE: for each piece a line with I (received) or O (sent) and "
		       "the time, then its bytes in hexadecimal and as text. This is what text2pcap -D -t ISO reads; comments "
		       "begin with #. %c in FILE becomes the number of the connection, which then has a file of its own, and "
		       "%% a percent sign. The file is created with mode 0600 or overwritten; a symbolic link is refused. If "
		       "it cannot be written to the end (a full disk) the traffic goes on, and the exit status is 9." },
	{ .name = "pcap",
		.kind = OPT_TEXT,
		.off = offsetof(struct tap_conf, pcap),
		.arg = "FILE",
		.help = "write what passes into FILE, as packets",
		.man = "Writes what passes over all connections into FILE in the pcapng form that Wireshark and tshark read, "
		       "without any privilege. The packets are made up around the payload; addresses and ports are the real "
		       "ones, and for Unix sockets 127.0.0.1 and 127.0.0.2 upwards. The file is treated as that of "
		       "--transcript." },
	{ 0 },
};
const struct opt_group tap_opts = { .title = "Looking at the traffic", .size = sizeof(struct tap_conf), .rows = rows };

static int no_memory(struct err *e)
{
	return err_set(e, ERR_LOCAL, ENOMEM, "look at the traffic");
}

/* Once for each file: at once, for whoever looks now, and in the end. */
static void file_broke(void *arg, const struct err *why)
{
	const struct env *env = arg;
	struct err told = *why;
	err_set(&told, why->cls, 0, "%s; it is complete up to here", why->what);
	event(env->events, EV_WARN, 0, EV_TEXT("text", told.what));
	env_fail(env, why);
}

/* Transcripts */

struct transcripts {
	const char *file;
	bool apart; /* a file for each connection */
	struct transcript one;
};

/* Files to come are opened when they come; that they can be is asked of their folder. */
static int check_folder(const char *file, struct err *e)
{
	char shown[256];
	char *path = transcript_path(file, 1), *slash = path == NULL ? NULL : strrchr(path, '/');
	if (path == NULL)
		return no_memory(e);
	if (slash != NULL)
		slash[1] = '\0';
	const char *folder = slash != NULL ? path : "./";
	int sys = access(folder, W_OK | X_OK) == 0 ? 0 : errno;
	text_show(shown, sizeof shown, folder, strlen(folder));
	mem_free(path);
	return sys == 0 ? 0 : err_set(e, ERR_USAGE, sys, "--transcript: folder %s", shown);
}

int transcript_start(const struct env *env, void **shared, struct err *e)
{
	const struct tap_conf *conf = conf_get(env->conf, &tap_opts);
	if (conf == NULL || conf->transcript == NULL)
		return 0;
	struct transcripts *all = mem_new(sizeof *all);
	char *path = transcript_path(conf->transcript, 0);
	int rc = all == NULL || path == NULL ? no_memory(e) : 0;
	if (rc == 0) {
		*all = (struct transcripts){ .file = conf->transcript, .apart = transcript_apart(conf->transcript) };
		all->one.file.fd = -1;
		*shared = all;
		if (all->apart)
			rc = check_folder(conf->transcript, e);
		else if (outfile_open(&all->one.file, path, file_broke, (void *)(uintptr_t)env, e) != 0)
			rc = err_prefix(e, "--transcript");
	} else {
		mem_free(all);
	}
	mem_free(path);
	return rc;
}

/* NULL: this connection has none; that was told. */
static struct transcript *open_apart(const struct transcripts *all, const struct link *link)
{
	struct err e = { 0 };
	struct transcript *t = mem_new(sizeof *t);
	char *path = transcript_path(all->file, link->conn);
	int rc = t == NULL || path == NULL ? no_memory(&e) : 0;
	if (rc == 0)
		rc = outfile_open(&t->file, path, file_broke, (void *)(uintptr_t)link->env, &e);
	mem_free(path);
	if (rc == 0)
		return t;
	mem_free(t);
	e.cls = ERR_LOCAL; /* too late for a usage error */
	err_prefix(&e, "--transcript");
	event(link->env->events, EV_WARN, link->conn, EV_TEXT("text", e.what));
	env_fail(link->env, &e);
	return NULL;
}

int transcript_layer(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	char peer[SA_TEXT], shown[SA_TEXT];
	struct transcripts *all = shared;
	struct transcript *t = all == NULL ? NULL : all->apart ? open_apart(all, link) : &all->one;
	if (t == NULL)
		return 0;
	sa_text(link->peer, peer);
	text_show(shown, sizeof shown, peer, strlen(peer));
	if (transcript_push(top, t, all->apart, link->conn, shown) == 0)
		return 0;
	if (all->apart) {
		outfile_close(&t->file);
		mem_free(t);
	}
	return no_memory(e);
}

void transcript_stop(const struct env *env, void *takes)
{
	struct transcripts *all = takes;
	(void)env;
	outfile_close(&all->one.file);
	mem_free(all);
}

/* Captures */

int capture_start(const struct env *env, void **shared, struct err *e)
{
	const struct tap_conf *conf = conf_get(env->conf, &tap_opts);
	if (conf == NULL || conf->pcap == NULL)
		return 0;
	struct capture *c = mem_new(sizeof *c);
	if (c == NULL)
		return no_memory(e);
	if (outfile_open(&c->file, conf->pcap, file_broke, (void *)(uintptr_t)env, e) != 0) {
		mem_free(c);
		return err_prefix(e, "--pcap");
	}
	*shared = c;
	capture_begin(c);
	return 0;
}

static void end_of(struct pcap_end *end, const struct sa *sa)
{
	struct sockaddr_storage ss;
	sa_to(sa, &ss);
	*end = (struct pcap_end){ .v6 = sa->family == AF_INET6, .port = sa_port(sa) };
	if (end->v6)
		memcpy(end->ip, &((const struct sockaddr_in6 *)&ss)->sin6_addr, 16);
	else if (sa->family == AF_INET)
		memcpy(end->ip, &((const struct sockaddr_in *)&ss)->sin_addr, 4);
}

static bool of_internet(const struct sa *sa)
{
	return sa->family == AF_INET || sa->family == AF_INET6;
}

/* A server and a client of its own for each connection, in a network where nobody is met by chance. */
static void make_up(struct pcap_end *us, struct pcap_end *peer, const struct link *link)
{
	enum {
		FIRST_PORT = 1024,
		PORTS = 65536 - FIRST_PORT,
		FIRST_HOST = 0x7f000002,
		SERVER_HOST = 0x7f000001,
		SERVER_PORT = 1
	};
	uint32_t at = link->conn - 1, server = htonl(SERVER_HOST), client = htonl(FIRST_HOST + at / PORTS);
	bool dialed = link->role == ROLE_DIAL;
	struct pcap_end *ends[2] = { dialed ? us : peer, dialed ? peer : us };
	*ends[0] = (struct pcap_end){ .port = (uint16_t)(FIRST_PORT + at % PORTS) };
	*ends[1] = (struct pcap_end){ .port = SERVER_PORT };
	memcpy(ends[0]->ip, &client, sizeof client);
	memcpy(ends[1]->ip, &server, sizeof server);
}

int capture_layer(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	struct pcap_end us, peer;
	if (shared == NULL)
		return 0;
	if (of_internet(link->peer)) {
		end_of(&peer, link->peer);
		end_of(&us, link->local);
		if (us.v6 != peer.v6) /* of ours we only know that it is any */
			us = (struct pcap_end){ .v6 = peer.v6, .port = us.port };
	} else {
		make_up(&us, &peer, link);
	}
	return capture_push(top, shared, link->conn, link->role == ROLE_DIAL, &us, &peer) == 0 ? 0 : no_memory(e);
}

void capture_stop(const struct env *env, void *takes)
{
	struct capture *c = takes;
	(void)env;
	outfile_close(&c->file);
	mem_free(c);
}

/* Expectations */

int expect_start(const struct env *env, void **shared, struct err *e)
{
	const struct expect_conf *conf = conf_get(env->conf, &expect_opts);
	if (conf == NULL || !expect_wanted(conf))
		return 0;
	struct expect *x = mem_new(sizeof *x);
	if (x == NULL)
		return no_memory(e);
	if (expect_open(x, conf, e) != 0) {
		mem_free(x);
		return -1;
	}
	*shared = x;
	return 0;
}

int expect_layer(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	(void)link;
	return shared == NULL || expect_push(top, shared) == 0 ? 0 : no_memory(e);
}

void expect_stop(const struct env *env, void *takes)
{
	(void)env;
	expect_close(takes);
	mem_free(takes);
}
