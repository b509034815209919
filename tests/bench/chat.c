/* One talker and receivers= listeners in one room: lines of 64 bytes with their number, as many as get through in
 * seconds=. The talker never gets further than AHEAD_BYTES before the slowest listener: what is measured is how fast a room that
 * loses nothing relays, not what it does to members that fall behind. Every listener must get every line, in order: all lines are
 * equally long, so the number of the first whole one of each read tells, and costs the listener little. */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	LINE = 64,
	DIGITS = 16,
	CALL_LINES = 128,
	AHEAD_BYTES = 64 * 1024,
	EVENTS = 256,
	TOGETHER = 8,
	SILENCE_MS = 2,
	IN_BYTES = 64 * 1024
};

struct listener {
	int fd;
	bool joined;  /* it has heard something */
	uint64_t got; /* up to where in what was said */
};

static const int64_t join_ns = 10 * 1000000000LL;
static struct listener *all;
static long listeners;
static int talker, ep;
static uint64_t said; /* bytes */
static uint64_t part; /* of what was last made, not yet sent */
static char out[CALL_LINES * LINE];

static void line_make(char *at, uint64_t number)
{
	static const char words[LINE - DIGITS + 1] = " the quick brown fox jumps over the lazy dog    \n";
	for (int i = 0; i < DIGITS; i++)
		at[i] = (char)('a' + (number >> 4 * (DIGITS - 1 - i) & 15));
	memcpy(at + DIGITS, words, LINE - DIGITS);
}

static uint64_t line_number(const char *at)
{
	uint64_t number = 0;
	for (int i = 0; i < DIGITS; i++)
		number = number << 4 | (uint64_t)(at[i] - 'a');
	return number;
}

static uint64_t slowest(void)
{
	uint64_t least = UINT64_MAX;
	for (long i = 0; i < listeners; i++)
		least = all[i].got < least ? all[i].got : least;
	return least;
}

/* Whole lines up to these many, as the room takes them. False: it takes no more now. */
static bool talk(long lines)
{
	if (part == 0) {
		for (long i = 0; i < lines; i++)
			line_make(out + i * LINE, said / LINE + (uint64_t)i);
		part = (uint64_t)lines * LINE;
		memmove(out + sizeof(out) - part, out, part);
	}
	long n = send(talker, out + sizeof(out) - part, part, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return false;
	part -= (uint64_t)load_ok(n, "send");
	said += (uint64_t)n;
	return true;
}

static void hear(struct listener *l)
{
	static char in[IN_BYTES];
	char want[LINE];
	long n = recv(l->fd, in, sizeof(in), MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (load_ok(n, "recv") == 0)
		load_die("the room closed a listener");
	if (!l->joined) {
		l->joined = true;
		l->got = line_number(in) * LINE;
	}
	size_t skip = (size_t)(LINE - l->got % LINE) % LINE;
	line_make(want, (l->got + skip) / LINE);
	if (skip + LINE <= (size_t)n && memcmp(in + skip, want, LINE) != 0)
		load_die("a listener missed something after line %" PRIu64, l->got / LINE);
	l->got += (uint64_t)n;
}

static void hear_all(int timeout_ms)
{
	struct epoll_event events[EVENTS];
	long n = load_ok(epoll_wait(ep, events, EVENTS, timeout_ms), "epoll_wait");
	if (n == 0 && timeout_ms > 0)
		load_die("no member heard anything for %d ms", timeout_ms);
	for (long i = 0; i < n; i++)
		hear(events[i].data.ptr);
}

static void hear_out(void)
{
	while (slowest() < said)
		hear_all(5000);
}

/* A few at a time: backlogs are short. They are in the room when they hear the talker, which says something whenever all have
 * been silent for a while. */
static void join(long more)
{
	struct listener *fresh = all + listeners;
	for (long i = 0; i < more; i++) {
		struct epoll_event e = { .events = EPOLLIN, .data.ptr = &fresh[i] };
		fresh[i].fd = load_dial(SOCK_STREAM, 0);
		load_ok(epoll_ctl(ep, EPOLL_CTL_ADD, fresh[i].fd, &e), "epoll_ctl");
	}
	int64_t end = load_now_ns() + join_ns;
	for (long in = 0; in < more;) {
		struct epoll_event any;
		if (load_now_ns() > end)
			load_die("listener %ld heard nothing", listeners + in + 1);
		if (load_ok(epoll_wait(ep, &any, 1, SILENCE_MS), "epoll_wait") == 0)
			talk(1);
		hear_all(0);
		while (in < more && fresh[in].joined)
			in++;
	}
	listeners += more;
	hear_out();
}

int main(int argc, char **argv)
{
	load_start(argc, argv);
	all = calloc((size_t)load_number("receivers", 10), sizeof(*all));
	ep = (int)load_ok(epoll_create1(0), "epoll_create1");
	talker = load_dial(SOCK_STREAM, 0);
	for (long want = load_number("receivers", 10); listeners < want;)
		join(want - listeners < TOGETHER ? want - listeners : TOGETHER);
	hear_out();
	load_ready();
	int64_t first = load_now_ns(), end = first + (int64_t)(load_real("seconds", 1) * 1e9);
	uint64_t before = said;
	while (load_now_ns() < end || part > 0) {
		bool room = said - slowest() < AHEAD_BYTES;
		if (!room || !talk(CALL_LINES))
			hear_all(said > slowest() ? 5000 : 0);
	}
	hear_out();
	load_report(
		"\"ops\": %" PRIu64 ", \"ns\": %" PRId64, (said - before) / LINE * (uint64_t)listeners, load_now_ns() - first);
	load_stay();
	return 0;
}
