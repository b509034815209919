/* Captures (capture.h): a watcher that keeps the two sequence numbers of a connection.
 *
 * Each direction starts at a number of its own, so that a port that is used again is not taken for a repetition. Whatever passes
 * is acknowledged at once. A Unix datagram that no packet could hold is shown as several. A peer that reset is shown doing so;
 * one of ours that is closed before its end gets one. */
#include "io/capture.h"

#include "base/mem.h"
#include "base/wall.h"
#include "io/tap.h"

#include <errno.h>

enum { SEGMENT_BYTES = 32768, PIECES = 62 };

struct wire {
	struct capture *c;
	struct pcap_end end[2]; /* who sends in this direction: TAP_IN the peer, TAP_OUT we */
	uint32_t seq[2];
	bool dgram, over;
	bool fin[2];
};

static enum tap_dir back(enum tap_dir dir)
{
	return dir == TAP_IN ? TAP_OUT : TAP_IN;
}

/* One packet, with what v holds. */
static void put_packet(struct wire *w, enum tap_dir dir, unsigned flags, const struct iovec *v, int n, size_t bytes)
{
	unsigned char head[PCAP_PACKET_HEAD], tail[PCAP_PACKET_TAIL];
	struct iovec all[PIECES + 2];
	const struct pcap_packet p = {
		.from = &w->end[dir],
		.to = &w->end[back(dir)],
		.sent = dir == TAP_OUT,
		.udp = w->dgram,
		.flags = (uint8_t)flags,
		.seq = w->seq[dir],
		.ack = flags & PCAP_ACK ? w->seq[back(dir)] : 0,
		.wall_us = wall_us(),
		.v = v,
		.n = n,
	};
	all[0] = (struct iovec){ head, pcap_packet_head(head, &p) };
	for (int i = 0; i < n; i++)
		all[i + 1] = v[i];
	all[n + 1] = (struct iovec){ tail, pcap_packet_tail(tail, &p) };
	outfile_write(&w->c->file, all, n + 2);
	w->seq[dir] += (uint32_t)bytes + ((flags & (PCAP_SYN | PCAP_FIN)) != 0); /* both count as a byte */
}

static void say(struct wire *w, enum tap_dir dir, unsigned flags)
{
	put_packet(w, dir, flags, NULL, 0, 0);
}

static const struct why *wire_moved(void *self, enum tap_dir dir, const struct iovec *v, size_t len)
{
	struct wire *w = self;
	struct tap_walk walk = { .v = v, .left = len };
	size_t most = !w->dgram ? SEGMENT_BYTES : w->end[dir].v6 ? PCAP_UDP6_MOST : PCAP_UDP4_MOST;
	if (w->c->file.fd < 0 || w->over)
		return NULL;
	do {
		struct iovec part[PIECES];
		size_t bytes = 0, got;
		const unsigned char *p;
		int n = 0;
		for (; n < PIECES && bytes < most && tap_next(&walk, most - bytes, &p, &got); n++, bytes += got)
			part[n] = (struct iovec){ (void *)(uintptr_t)p, got };
		put_packet(w, dir, PCAP_PSH | PCAP_ACK, part, n, bytes);
	} while (walk.left > 0);
	if (!w->dgram)
		say(w, back(dir), PCAP_ACK);
	return NULL;
}

static void wire_ended(void *self, enum tap_dir dir)
{
	struct wire *w = self;
	if (w->over || w->dgram)
		return;
	say(w, dir, PCAP_FIN | PCAP_ACK);
	say(w, back(dir), PCAP_ACK);
	w->fin[dir] = true;
}

static void wire_broke(void *self, const struct why *why)
{
	struct wire *w = self;
	if (w->over || w->dgram || (why->sys != ECONNRESET && why->sys != EPIPE))
		return;
	say(w, TAP_IN, PCAP_RST | PCAP_ACK);
	w->over = true;
}

static void wire_close(void *self, enum close_how how)
{
	struct wire *w = self;
	if (w->over || w->dgram)
		return;
	if (how == CLOSE_RST)
		say(w, TAP_OUT, PCAP_RST | PCAP_ACK);
	else if (!w->fin[TAP_OUT])
		wire_ended(w, TAP_OUT);
}

void capture_begin(struct capture *c)
{
	unsigned char head[PCAP_FILE_HEAD];
	struct iovec v = { head, pcap_file_head(head) };
	outfile_write(&c->file, &v, 1);
}

int capture_push(struct stream **top, struct capture *c, uint32_t conn, bool dialed, const struct pcap_end *us,
	const struct pcap_end *peer)
{
	static const struct tap_ops ops = {
		.name = "capture", .moved = wire_moved, .ended = wire_ended, .broke = wire_broke, .close = wire_close
	};
	enum tap_dir client = dialed ? TAP_OUT : TAP_IN;
	struct wire *w = tap_push(top, &ops, sizeof *w);
	if (w == NULL)
		return -1;
	*w = (struct wire){ .c = c, .dgram = (*top)->caps & ST_DGRAM };
	w->end[TAP_IN] = *peer;
	w->end[TAP_OUT] = *us;
	w->seq[TAP_IN] = conn * 2654435761U;
	w->seq[TAP_OUT] = ~w->seq[TAP_IN];
	if (w->dgram)
		return 0;
	say(w, client, PCAP_SYN);
	say(w, back(client), PCAP_SYN | PCAP_ACK);
	say(w, client, PCAP_ACK);
	return 0;
}
