/* From options and addresses to layers (observers.h): which files, and for which connection. */
#include "capture/observers.h"

#include "base/mem.h"
#include "base/text.h"
#include "capture/capture.h"
#include "capture/expect.h"
#include "capture/record.h"
#include "capture/transcript.h"
#include "capture/output_files.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct opt rows[] = {
	{ .name = "transcript",
		.kind = OPT_TEXT,
		.needs = NEEDS_WRITE,
		.off = offsetof(struct observer_conf, transcript),
		.arg = "FILE",
		.help = "write what passes into FILE, as text",
		.man = "Writes what passes in either direction into FILE: for each piece a line with I (received) or O (sent) and "
		       "the time, then its bytes in hexadecimal and as text. This is what text2pcap -D -t ISO reads; comments "
		       "begin with #. %c in FILE becomes the number of the connection, which then has a file of its own, and "
		       "%% a percent sign. The file is created with mode 0600 or overwritten; a symbolic link is refused. If "
		       "it cannot be written to the end (a full disk) the traffic goes on, and the exit status is 9." },
	{ .name = "log-raw",
		.kind = OPT_TEXT,
		.needs = NEEDS_WRITE,
		.off = offsetof(struct observer_conf, log_raw),
		.arg = "FILE",
		.help = "write what passes into FILE, as it is",
		.man = "Writes what passes in either direction into FILE, byte for byte and in the order in which it passed, with "
		       "nothing that tells the directions apart. The file is treated as that of --transcript." },
	{ .name = "pcap",
		.kind = OPT_TEXT,
		.off = offsetof(struct observer_conf, pcap),
		.arg = "FILE",
		.help = "write what passes into FILE, as packets",
		.man = "Writes what passes over all connections into FILE in the pcapng form that Wireshark and tshark read, "
		       "without any privilege. The packets are made up around the payload; addresses and ports are the real "
		       "ones, and for Unix sockets 127.0.0.1 and 127.0.0.2 upwards. The file is treated as that of "
		       "--transcript." },
	{ .name = "record",
		.kind = OPT_TEXT,
		.needs = NEEDS_WRITE,
		.off = offsetof(struct observer_conf, record),
		.arg = "FILE",
		.help = "write what passes into FILE, as a script of --talk",
		.man = "Writes each conversation into FILE as a script that --talk understands: what came from the peer as "
		       "expect, what was sent to it as send, pauses of more than 50 ms as wait. Played by --talk @FILE it stands "
		       "in for our end, with --swap for the peer. The second connection of a run and those after it have a "
		       "section of their own (conn 2), unless %c gives each a file. The file is treated as that of --transcript." },
	{ 0 },
};
const struct opt_group observer_opts = {
	.title = "Looking at the traffic", .size = sizeof(struct observer_conf), .rows = rows, .with = WITH_PAYLOAD
};

static int no_memory(struct err *e)
{
	return err_set(e, ERR_LOCAL, ENOMEM, "look at the traffic");
}

static void name_peer(const struct link *link, char shown[SA_TEXT])
{
	char peer[SA_TEXT];
	sa_text(link->peer, peer);
	text_show(shown, SA_TEXT, peer, strlen(peer));
}

/* Transcripts */

int transcript_start(const struct run *run, void **shared, struct err *e)
{
	const struct observer_conf *conf = conf_get(run->conf, &observer_opts);
	return output_files_start(run, "--transcript", conf->transcript, sizeof(struct transcript), shared, e);
}

int transcript_layer(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	const struct output_files *files = shared;
	struct transcript *t = output_files_for(files, link);
	char peer[SA_TEXT];
	if (t == NULL)
		return 0;
	name_peer(link, peer);
	if (transcript_push(top, t, files->apart, link->conn, peer) == 0)
		return 0;
	output_files_unused(files, t);
	return no_memory(e);
}

/* Records */

int record_start(const struct run *run, void **shared, struct err *e)
{
	const struct observer_conf *conf = conf_get(run->conf, &observer_opts);
	return output_files_start(run, "--record", conf->record, sizeof(struct record), shared, e);
}

int record_layer(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	const struct output_files *files = shared;
	struct record *r = output_files_for(files, link);
	char local[SA_TEXT], peer[SA_TEXT], ends[2 * SA_TEXT + 16];
	bool dialed = link->role == ROLE_DIAL;
	if (r == NULL)
		return 0;
	name_peer(link, peer);
	sa_text(link->local, local);
	snprintf(ends, sizeof ends, "%s to %s", dialed ? local : peer, dialed ? peer : local);
	if (record_push(top, r, files->apart, link->conn, ends, link->run->loop) == 0)
		return 0;
	output_files_unused(files, r);
	return no_memory(e);
}

/* Captures */

int capture_start(const struct run *run, void **shared, struct err *e)
{
	const struct observer_conf *conf = conf_get(run->conf, &observer_opts);
	if (conf == NULL || conf->pcap == NULL)
		return 0;
	struct capture *c = mem_new(sizeof *c);
	if (c == NULL)
		return no_memory(e);
	if (output_file_open(&c->file, conf->pcap, output_files_broke, (void *)(uintptr_t)run, e) != 0) {
		mem_free(c);
		return err_prefix(e, "--pcap");
	}
	*shared = c;
	capture_begin(c);
	return 0;
}

static bool of_internet(const struct sa *sa)
{
	return sa->family == AF_INET || sa->family == AF_INET6;
}

/* Each connection gets a server and a client address of its own, from networks that are never routed. */
static void make_up(struct pcapng_end *us, struct pcapng_end *peer, const struct link *link)
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
	struct pcapng_end *ends[2] = { dialed ? us : peer, dialed ? peer : us };
	*ends[0] = (struct pcapng_end){ .port = (uint16_t)(FIRST_PORT + at % PORTS) };
	*ends[1] = (struct pcapng_end){ .port = SERVER_PORT };
	memcpy(ends[0]->ip, &client, sizeof client);
	memcpy(ends[1]->ip, &server, sizeof server);
}

int capture_layer(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	struct pcapng_end us, peer;
	if (shared == NULL)
		return 0;
	if (of_internet(link->peer)) {
		capture_end(&peer, link->peer);
		capture_end(&us, link->local);
		if (us.v6 != peer.v6) /* of our address we only know that it is any */
			us = (struct pcapng_end){ .v6 = peer.v6, .port = us.port };
	} else {
		make_up(&us, &peer, link);
	}
	return capture_push(top, shared, link->conn, link->role == ROLE_DIAL, &us, &peer) == 0 ? 0 : no_memory(e);
}

void capture_stop(const struct run *run, void *takes)
{
	struct capture *c = takes;
	(void)run;
	output_file_close(&c->file);
	mem_free(c);
}

/* Expectations */

int expect_start(const struct run *run, void **shared, struct err *e)
{
	const struct expect_conf *conf = conf_get(run->conf, &expect_opts);
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

void expect_stop(const struct run *run, void *takes)
{
	(void)run;
	expect_close(takes);
	mem_free(takes);
}
