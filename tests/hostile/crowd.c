/* Clients that mean no good, many of them in one process: clients= (default 1000) connect to port=, and kind= says what then.
 *
 *   hold    each sends bytes=, or as much as is taken, reads nothing, and stays; word= again and again, as lines unless line=0
 *   hear    each is served once, a byte there and a byte back, and says nothing from then on
 *   drip    all together rate= bytes a second, each a byte in its turn; never a newline, and nothing is read
 *   reset   rate= times a second: connect, a byte, a reset
 *
 * own= makes their own buffers small, so that what is not read lies with the server. "ready" comes when they are in place: with
 * hold, when no byte of theirs was taken for STUCK_MS. It goes on until stdin ends; then the report says how much was done,
 * how many of them the server has not hung up on, and in how many nanoseconds. */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOK_MS = 20, STUCK_MS = 300, TICK_MS = 5, HOSTS = 20, PATIENCE_MS = 10000 };

static long clients;
static int *fds;
static uint64_t done;
static char *words;
static size_t words_len;

static int dial(unsigned number)
{
	int on = 1, own = (int)load_number("own", 0);
	int fd = (int)load_ok(socket(AF_INET, SOCK_STREAM, 0), "socket");
	struct sockaddr_in to = load_at(0, load_number("port", 0)), from = load_at(1 + number % HOSTS, 0);
	if (own > 0) {
		load_ok(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &own, sizeof(own)), "SO_RCVBUF");
		load_ok(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &own, sizeof(own)), "SO_SNDBUF");
	}
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	load_ok(bind(fd, (struct sockaddr *)&from, sizeof(from)), "bind");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		load_die("connect");
	load_nonblocking(fd);
	return fd;
}

static void dial_all(void)
{
	for (long i = 0; i < clients; i++)
		fds[i] = dial((unsigned)i);
}

/* The word many times over, so that a call sends much. */
static void words_make(void)
{
	const char *word = load_word("word", "you will never hear that I got this");
	bool line = load_number("line", 1) != 0;
	size_t n = strlen(word), each = n + line;
	words_len = 65536 / each * each;
	words = malloc(words_len);
	for (size_t at = 0; at < words_len; at += each) {
		memcpy(words + at, word, n);
		if (line)
			words[at + n] = '\n';
	}
}

static bool over(int wait_ms)
{
	char c;
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	return poll(&p, 1, wait_ms) > 0 && read(STDIN_FILENO, &c, 1) <= 0;
}

/* One client, as far as it goes. False: the server has hung up on it. */
static bool push(int fd, uint64_t *sent, uint64_t most)
{
	while (*sent < most) {
		size_t at = (size_t)(*sent % words_len), n = words_len - at;
		ssize_t m = send(fd, words + at, most - *sent < n ? (size_t)(most - *sent) : n, MSG_NOSIGNAL);
		if (m < 0)
			return errno == EAGAIN;
		*sent += (uint64_t)m;
		done += (uint64_t)m;
	}
	return true;
}

static void hold(uint64_t most)
{
	uint64_t *sent = calloc((size_t)clients, sizeof(*sent)), before;
	long waited = 0;
	do {
		before = done;
		for (long i = 0; i < clients; i++)
			if (fds[i] >= 0 && !push(fds[i], &sent[i], most)) {
				close(fds[i]);
				fds[i] = -1;
			}
		waited = done == before ? waited + 1 : 0;
	} while (most > 0 && waited < STUCK_MS / LOOK_MS && !over(LOOK_MS));
	free(sent);
}

static void hear_one(long i)
{
	struct pollfd p = { .fd = fds[i], .events = POLLIN };
	char c;
	if (poll(&p, 1, PATIENCE_MS) != 1 || recv(fds[i], &c, 1, 0) != 1)
		load_die("client %ld was not served", i);
}

static void hear(void)
{
	for (long i = 0; i < clients; i++)
		load_ok(send(fds[i], "x", 1, MSG_NOSIGNAL), "send");
	for (long i = 0; i < clients; i++)
		hear_one(i);
	done = (uint64_t)clients;
}

static void reset_one(unsigned number)
{
	struct linger now = { .l_onoff = 1 };
	int fd = dial(number);
	ssize_t sent = send(fd, "x", 1, MSG_NOSIGNAL);
	(void)sent; /* the server may have turned it away */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static void drip_one(long i)
{
	if (fds[i] >= 0 && send(fds[i], "x", 1, MSG_NOSIGNAL) < 0 && errno != EAGAIN) {
		close(fds[i]);
		fds[i] = -1;
	}
}

/* Something so many times a second, evenly, until we are told to end. After a stop nothing is made up for. */
static void steadily(long rate, bool drips)
{
	int64_t last = load_now_ns();
	double owed = 0;
	while (!over(TICK_MS)) {
		int64_t now = load_now_ns(), passed = now - last;
		owed += (double)rate * (double)(passed < 100000000 ? passed : 0) / 1e9;
		for (; owed >= 1; owed--, done++)
			if (drips)
				drip_one((long)(done % (uint64_t)clients));
			else
				reset_one((unsigned)done);
		last = now;
	}
}

int main(int argc, char **argv)
{
	load_start(argc, argv);
	clients = load_number("clients", 1000);
	fds = calloc((size_t)clients, sizeof(*fds));
	const char *kind = load_word("kind", "hold");
	bool drips = strcmp(kind, "drip") == 0, resets = strcmp(kind, "reset") == 0;
	words_make();
	if (!resets)
		dial_all();
	if (strcmp(kind, "hold") == 0)
		hold((uint64_t)load_number("bytes", INT64_MAX));
	if (strcmp(kind, "hear") == 0)
		hear();
	puts("ready");
	int64_t first = load_now_ns();
	if (drips || resets)
		steadily(load_number("rate", 1000), drips);
	else
		while (!over(-1))
			;
	long here = 0;
	for (long i = 0; i < clients && !resets; i++)
		here += fds[i] >= 0;
	load_report("\"done\": %" PRIu64 ", \"here\": %ld, \"ns\": %" PRId64, done, here, load_now_ns() - first);
	return 0;
}
