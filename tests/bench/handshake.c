/* TLS 1.3 handshakes: at_once= (default 8) of them at a time for seconds=, each on a connection of its own: handshake, one line
 * there, one line back, so that the server has surely finished its half, close. No session is taken up again. */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { SLOTS = 64 };
static const char line[] = "oo\n"; /* reads the same backwards, which is how s_server -rev answers */

struct slot {
	int fd;
	SSL *ssl;
	bool said;
	size_t got;
	int64_t born_ns;
};

static int ep;
static unsigned host;
static uint64_t done;
static struct hist times;
static SSL_CTX *ctx;

static void dial(struct slot *s)
{
	*s = (struct slot){ .born_ns = load_now_ns() };
	s->fd = load_dial(SOCK_STREAM, 1 + host++ % 200);
	load_nonblocking(s->fd);
	s->ssl = SSL_new(ctx);
	SSL_set_fd(s->ssl, s->fd);
	SSL_set_connect_state(s->ssl);
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = s };
	load_ok(epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &e), "epoll_ctl");
}

static bool waits(struct slot *s, int n)
{
	int why = SSL_get_error(s->ssl, n);
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return true;
	load_die("TLS: %s", ERR_peek_error() != 0 ? ERR_reason_error_string(ERR_peek_error()) : "the server ended it");
}

static void go_on(struct slot *s)
{
	char in[16];
	int n = SSL_do_handshake(s->ssl);
	if (n != 1 && waits(s, n))
		return;
	if (!s->said && (n = SSL_write(s->ssl, line, sizeof(line) - 1)) <= 0 && waits(s, n))
		return;
	s->said = true;
	while (s->got < sizeof(line) - 1) {
		n = SSL_read(s->ssl, in, (int)(sizeof(line) - 1 - s->got));
		if (n <= 0 && waits(s, n))
			return;
		if (memcmp(in, line + s->got, (size_t)n) != 0)
			load_die("got what was not sent");
		s->got += (size_t)n;
	}
	if (SSL_version(s->ssl) != TLS1_3_VERSION)
		load_die("not TLS 1.3");
	SSL_shutdown(s->ssl);
	SSL_free(s->ssl);
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
	ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	ep = (int)load_ok(epoll_create1(0), "epoll_create1");
	load_ready();
	int64_t first = load_now_ns(), end = first + (int64_t)(load_real("seconds", 1) * 1e9), now = first;
	for (long i = 0; i < at_once && i < SLOTS; i++)
		dial(&slots[i]);
	while (now < end) {
		struct epoll_event events[SLOTS];
		long got = load_ok(epoll_wait(ep, events, SLOTS, 10000), "epoll_wait");
		if (got == 0)
			load_die("no answer for 10 s");
		for (long i = 0; i < got; i++)
			go_on(events[i].data.ptr);
		now = load_now_ns();
	}
	load_report("\"ops\": %" PRIu64 ", \"ns\": %" PRId64 ", \"p50\": %.1f, \"p99\": %.1f", done, now - first,
		hist_us(&times, 0.5), hist_us(&times, 0.99));
	load_stay();
	return 0;
}
