/* Clients of an echo server: clients= connections, of which active= (default: all) send size= bytes (default 64) and wait for
 * them to come back, again and again, for seconds=. The rest say one thing at the start and then hold their connection.
 *
 * Every message carries its number, and every answer is compared. With udp=1 the clients are sockets that send datagrams; one
 * that gets no answer for 100 ms counts a loss and sends again. */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { SIZE_MOST = 1024, EVENTS = 256 };
static const int64_t patience_ns = 100 * 1000000LL;

struct client {
	int fd;
	uint32_t id;
	uint64_t turn;
	int64_t sent_ns;
	size_t got;
};

static size_t size;
static bool udp;
static uint64_t done, lost;
static struct hist times;

static void message(const struct client *c, unsigned char *out)
{
	uint64_t head[2] = { c->id, c->turn };
	memcpy(out, load_block(), size);
	memcpy(out, head, sizeof(head));
}

static void say(struct client *c)
{
	unsigned char out[SIZE_MOST];
	message(c, out);
	c->sent_ns = load_now_ns();
	c->got = 0;
	if (load_ok(send(c->fd, out, size, 0), "send") != (long)size)
		load_die("a short send");
}

/* True when the whole answer is there. */
static bool hear(struct client *c)
{
	unsigned char want[SIZE_MOST], in[SIZE_MOST];
	long n = recv(c->fd, in, udp ? sizeof(in) : size - c->got, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (load_ok(n, "recv") == 0)
		load_die("the server closed connection %u", c->id);
	message(c, want);
	if (udp && ((size_t)n != size || memcmp(in, want, size) != 0))
		return false; /* an answer that came too late */
	if (memcmp(in, want + c->got, (size_t)n) != 0)
		load_die("connection %u got what it had not sent", c->id);
	c->got += (size_t)n;
	return c->got == size;
}

/* Blocking: one whole round trip, so that the server has accepted it and done everything it does only once. */
static void join(struct client *c)
{
	c->fd = load_dial(udp ? SOCK_DGRAM : SOCK_STREAM, 1 + c->id / 4000);
	say(c);
	while (!hear(c))
		if (errno == EAGAIN)
			load_die("no answer on connection %u", c->id);
	load_nonblocking(c->fd);
}

static void again(struct client *c)
{
	c->turn++;
	say(c);
}

static void ask_late(struct client *clients, long active)
{
	int64_t now = load_now_ns();
	for (long i = 0; udp && i < active; i++)
		if (now - clients[i].sent_ns > patience_ns) {
			lost++;
			again(&clients[i]);
		}
}

int main(int argc, char **argv)
{
	load_start(argc, argv);
	long n = load_number("clients", 1), active = load_number("active", n);
	size = (size_t)load_number("size", 64);
	udp = load_number("udp", 0) != 0;
	if (size > SIZE_MOST || size < 16)
		load_die("size=16 to %d", SIZE_MOST);
	struct client *clients = calloc((size_t)n, sizeof(*clients));
	int ep = (int)load_ok(epoll_create1(0), "epoll_create1");
	for (long i = 0; i < n; i++) {
		struct epoll_event e = { .events = EPOLLIN, .data.ptr = &clients[i] };
		clients[i].id = (uint32_t)i;
		join(&clients[i]);
		load_ok(epoll_ctl(ep, EPOLL_CTL_ADD, clients[i].fd, &e), "epoll_ctl");
	}
	load_ready();
	int64_t first = load_now_ns(), end = first + (int64_t)(load_real("seconds", 1) * 1e9), now = first;
	for (long i = 0; i < active; i++)
		again(&clients[i]);
	while (now < end) {
		struct epoll_event events[EVENTS];
		long got = load_ok(epoll_wait(ep, events, EVENTS, 20), "epoll_wait");
		now = load_now_ns();
		for (long i = 0; i < got; i++) {
			struct client *c = events[i].data.ptr;
			if (!hear(c))
				continue;
			now = load_now_ns();
			hist_add(&times, now - c->sent_ns);
			done++;
			again(c);
		}
		ask_late(clients, active);
	}
	load_report("\"ops\": %" PRIu64 ", \"ns\": %" PRId64 ", \"p50\": %.1f, \"p99\": %.1f, \"lost\": %" PRIu64, done,
		now - first, hist_us(&times, 0.5), hist_us(&times, 0.99), lost);
	load_stay();
	return 0;
}
