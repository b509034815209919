/* Captures (capture.h): an observer that keeps the two sequence numbers of a connection.
 *
 * Each direction starts at a number of its own, so that an analyser does not take a reused port for retransmissions. All bytes
 * are acknowledged at once. A Unix datagram that is too large for a packet is shown as several. A reset by the peer is shown; so
 * is one by us if we close before our end. */
#include "capture/capture.h"

#include "base/mem.h"
#include "base/wallclock.h"
#include "stream/observer.h"

#include <errno.h>
#include <string.h>

enum { SEGMENT_BYTES = 32768, PIECES = 62 };

struct wire {
	struct capture *c;
	const struct stream *below;
	struct pcapng_end end[2]; /* the sender in this direction: OBSERVER_IN the peer, OBSERVER_OUT we */
	uint32_t seq[2];
	bool dgram, over;
	bool fin[2];
};

void capture_end(struct pcapng_end *end, const struct sa *sa)
{
	struct sockaddr_storage ss;
	sa_to(sa, &ss);
	*end = (struct pcapng_end){ .v6 = sa->family == AF_INET6, .port = sa_port(sa) };
	if (end->v6)
		memcpy(end->ip, &((const struct sockaddr_in6 *)&ss)->sin6_addr, 16);
	else if (sa->family == AF_INET)
		memcpy(end->ip, &((const struct sockaddr_in *)&ss)->sin_addr, 4);
}

static enum observer_dir capture_back(enum observer_dir dir)
{
	return dir == OBSERVER_IN ? OBSERVER_OUT : OBSERVER_IN;
}

/* One packet with the payload v. */
static void put_packet(struct wire *w, enum observer_dir dir, unsigned flags, const struct iovec *v, int n, size_t bytes)
{
	unsigned char head[PCAPNG_PACKET_HEAD], tail[PCAPNG_PACKET_TAIL];
	struct iovec all[PIECES + 2];
	const struct sa *sender = dir == OBSERVER_IN ? stream_sender(w->below) : NULL;
	struct pcapng_end other;
	if (sender != NULL)
		capture_end(&other, sender);
	const struct pcapng_packet p = {
		.from = sender != NULL && other.v6 == w->end[dir].v6 ? &other : &w->end[dir],
		.to = &w->end[capture_back(dir)],
		.sent = dir == OBSERVER_OUT,
		.udp = w->dgram,
		.flags = (uint8_t)flags,
		.seq = w->seq[dir],
		.ack = flags & PCAPNG_ACK ? w->seq[capture_back(dir)] : 0,
		.wallclock_us = wallclock_us(),
		.v = v,
		.n = n,
	};
	all[0] = (struct iovec){ head, pcapng_packet_head(head, &p) };
	for (int i = 0; i < n; i++)
		all[i + 1] = v[i];
	all[n + 1] = (struct iovec){ tail, pcapng_packet_tail(tail, &p) };
	output_file_write(&w->c->file, all, n + 2, false);
	w->seq[dir] += (uint32_t)bytes + ((flags & (PCAPNG_SYN | PCAPNG_FIN)) != 0); /* both count as a byte */
}

static void capture_say(struct wire *w, enum observer_dir dir, unsigned flags)
{
	put_packet(w, dir, flags, NULL, 0, 0);
}

static const struct why *wire_moved(void *self, enum observer_dir dir, const struct iovec *v, size_t len)
{
	struct wire *w = self;
	struct observer_walk walk = { .v = v, .left = len };
	size_t most = !w->dgram ? SEGMENT_BYTES : w->end[dir].v6 ? PCAPNG_UDP6_MOST : PCAPNG_UDP4_MOST;
	if (w->c->file.fd < 0 || w->over)
		return NULL;
	do {
		struct iovec part[PIECES];
		size_t bytes = 0, got;
		const unsigned char *p;
		int n = 0;
		for (; n < PIECES && bytes < most && observer_next(&walk, most - bytes, &p, &got); n++, bytes += got)
			part[n] = (struct iovec){ (void *)(uintptr_t)p, got };
		put_packet(w, dir, PCAPNG_PSH | PCAPNG_ACK, part, n, bytes);
	} while (walk.left > 0);
	if (!w->dgram)
		capture_say(w, capture_back(dir), PCAPNG_ACK);
	return NULL;
}

static void wire_ended(void *self, enum observer_dir dir)
{
	struct wire *w = self;
	if (w->over || w->dgram)
		return;
	capture_say(w, dir, PCAPNG_FIN | PCAPNG_ACK);
	capture_say(w, capture_back(dir), PCAPNG_ACK);
	w->fin[dir] = true;
}

static void wire_broke(void *self, const struct why *why)
{
	struct wire *w = self;
	if (w->over || w->dgram || (why->sys != ECONNRESET && why->sys != EPIPE))
		return;
	capture_say(w, OBSERVER_IN, PCAPNG_RST | PCAPNG_ACK);
	w->over = true;
}

static void wire_close(void *self, enum close_how how)
{
	struct wire *w = self;
	if (w->over || w->dgram)
		return;
	if (how == CLOSE_RST)
		capture_say(w, OBSERVER_OUT, PCAPNG_RST | PCAPNG_ACK);
	else if (!w->fin[OBSERVER_OUT])
		wire_ended(w, OBSERVER_OUT);
}

void capture_begin(struct capture *c)
{
	unsigned char head[PCAPNG_FILE_HEAD];
	struct iovec v = { head, pcapng_file_head(head) };
	output_file_write(&c->file, &v, 1, false);
}

int capture_push(struct stream **top, struct capture *c, uint32_t conn, bool dialed, const struct pcapng_end *us,
	const struct pcapng_end *peer)
{
	static const struct observer_ops ops = {
		.name = "capture", .moved = wire_moved, .ended = wire_ended, .broke = wire_broke, .close = wire_close
	};
	enum observer_dir client = dialed ? OBSERVER_OUT : OBSERVER_IN;
	const struct stream *below = *top;
	struct wire *w = observer_push(top, &ops, sizeof *w);
	if (w == NULL)
		return -1;
	*w = (struct wire){ .c = c, .below = below, .dgram = (*top)->caps & ST_DGRAM };
	w->end[OBSERVER_IN] = *peer;
	w->end[OBSERVER_OUT] = *us;
	w->seq[OBSERVER_IN] = conn * 2654435761U;
	w->seq[OBSERVER_OUT] = ~w->seq[OBSERVER_IN];
	if (w->dgram)
		return 0;
	capture_say(w, client, PCAPNG_SYN);
	capture_say(w, capture_back(client), PCAPNG_SYN | PCAPNG_ACK);
	capture_say(w, client, PCAPNG_ACK);
	return 0;
}
