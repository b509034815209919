/* Connects, sends 64 bytes, waits until they have come back, closes: at_once= (default 8) of these at a time, for seconds=
 * or until times= are done. The connections come from many addresses, so that closed ones (TIME_WAIT) take no port from new ones.
 */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { MESSAGE = 64, SLOTS = 64 };

struct slot {
	int fd;
	bool sent;
	size_t got;
	int64_t born_ns;
};

static int ep;
static unsigned host;
static uint64_t done;
static struct hist times;

static void dial(struct slot *s)
{
	int on = 1;
	struct sockaddr_in to = load_at(0, load_number("port", 0)), from = load_at(1 + host++ % 200, 0);
	*s = (struct slot){ .born_ns = load_now_ns() };
	s->fd = (int)load_ok(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");
	setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	load_ok(bind(s->fd, (struct sockaddr *)&from, sizeof(from)), "bind");
	if (connect(s->fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS)
		load_die("connect");
	struct epoll_event e = { .events = EPOLLOUT, .data.ptr = s };
	load_ok(epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &e), "epoll_ctl");
}

static void say(struct slot *s)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = s };
	if (load_ok(send(s->fd, load_block(), MESSAGE, 0), "connecting") != MESSAGE)
		load_die("a short send");
	s->sent = true;
	load_ok(epoll_ctl(ep, EPOLL_CTL_MOD, s->fd, &e), "epoll_ctl");
}

static void hear(struct slot *s)
{
	unsigned char in[MESSAGE];
	long n = recv(s->fd, in, MESSAGE - s->got, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (load_ok(n, "recv") == 0)
		load_die("the server closed before it answered");
	if (!load_is_stream(in, (size_t)n, s->got))
		load_die("got what was not sent");
	s->got += (size_t)n;
	if (s->got < MESSAGE)
		return;
	close(s->fd);
	hist_add(&times, load_now_ns() - s->born_ns);
	done++;
	dial(s);
}

int main(int argc, char **argv)
{
	load_start(argc, argv);
	struct slot slots[SLOTS];
	long at_once = load_number("at_once", 8);
	uint64_t times_most = (uint64_t)load_number("times", INT64_MAX);
	load_block();
	ep = (int)load_ok(epoll_create1(0), "epoll_create1");
	load_ready();
	int64_t first = load_now_ns(), end = first + (int64_t)(load_real("seconds", 1) * 1e9), now = first;
	for (long i = 0; i < at_once && i < SLOTS; i++)
		dial(&slots[i]);
	while (now < end && done < times_most) {
		struct epoll_event events[SLOTS];
		long got = load_ok(epoll_wait(ep, events, SLOTS, 10000), "epoll_wait");
		if (got == 0)
			load_die("no answer for 10 s");
		for (long i = 0; i < got; i++) {
			struct slot *s = events[i].data.ptr;
			if (s->sent)
				hear(s);
			else
				say(s);
		}
		now = load_now_ns();
	}
	load_report("\"ops\": %" PRIu64 ", \"ns\": %" PRId64 ", \"p50\": %.1f, \"p99\": %.1f", done, now - first,
		hist_us(&times, 0.5), hist_us(&times, 0.99));
	load_stay();
	return 0;
}
