/* The shared part of the load generators; load.h tells what it is for. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static char **words;
static unsigned char *block;
static int block_fd = -1;

void load_start(int argc, char **argv)
{
	(void)argc;
	words = argv + 1;
	signal(SIGPIPE, SIG_IGN);
	alarm((unsigned)(60 + load_real("seconds", 0)));
	setvbuf(stdout, NULL, _IOLBF, 0);
}

const char *load_word(const char *name, const char *other)
{
	size_t n = strlen(name);
	for (char **w = words; *w != NULL; w++)
		if (strncmp(*w, name, n) == 0 && (*w)[n] == '=')
			return *w + n + 1;
	return other;
}

long load_number(const char *name, long other)
{
	const char *text = load_word(name, NULL);
	return text != NULL ? strtol(text, NULL, 10) : other;
}

double load_real(const char *name, double other)
{
	const char *text = load_word(name, NULL);
	return text != NULL ? strtod(text, NULL) : other;
}

void load_die(const char *fmt, ...)
{
	int sys = errno;
	va_list args;
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, sys != 0 ? ": %s\n" : "\n", strerror(sys));
	exit(1);
}

long load_ok(long n, const char *what)
{
	if (n < 0)
		load_die("%s", what);
	errno = 0; /* what a successful call has left is no reason */
	return n;
}

int64_t load_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

struct sockaddr_in load_at(unsigned host, long port)
{
	uint32_t last = host == 0 ? 1 : 256 + host % 60000;
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(0x7f000000u + last)
	};
}

int load_bind(int type)
{
	int fd = (int)load_ok(socket(AF_INET, type, 0), "socket");
	struct sockaddr_in at = load_at(0, 0);
	socklen_t n = sizeof(at);
	load_ok(bind(fd, (struct sockaddr *)&at, n), "bind");
	if (type == SOCK_STREAM)
		load_ok(listen(fd, 16), "listen");
	load_ok(getsockname(fd, (struct sockaddr *)&at, &n), "getsockname");
	printf("port %d\n", ntohs(at.sin_port));
	return fd;
}

int load_dial(int type, unsigned host)
{
	int fd = (int)load_ok(socket(AF_INET, type, 0), "socket"), on = 1;
	struct sockaddr_in to = load_at(0, load_number("port", 0)), from = load_at(host, 0);
	if (host != 0) {
		load_ok(setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)), "IP_BIND_ADDRESS_NO_PORT");
		load_ok(bind(fd, (struct sockaddr *)&from, sizeof(from)), "bind");
	}
	struct timeval limit = { .tv_sec = 10 };
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	load_ok(connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
	return fd;
}

void load_nonblocking(int fd)
{
	load_ok(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), "O_NONBLOCK");
}

static void block_make(void)
{
	block_fd = (int)load_ok(memfd_create("block", MFD_CLOEXEC), "memfd_create");
	load_ok(ftruncate(block_fd, BLOCK_BYTES), "ftruncate");
	block = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, block_fd, 0);
	if (block == MAP_FAILED)
		load_die("mmap");
	uint64_t x = 88172645463325252ULL;
	for (size_t i = 0; i < BLOCK_BYTES; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		block[i] = (unsigned char)(x >> 32 | 0x80);
	}
}

const unsigned char *load_block(void)
{
	if (block == NULL)
		block_make();
	return block;
}

int load_block_fd(void)
{
	load_block();
	return block_fd;
}

bool load_is_stream(const void *bytes, size_t n, uint64_t offset)
{
	const unsigned char *p = bytes;
	while (n > 0) {
		size_t at = (size_t)(offset % BLOCK_BYTES), part = BLOCK_BYTES - at < n ? BLOCK_BYTES - at : n;
		if (memcmp(p, load_block() + at, part) != 0)
			return false;
		p += part;
		n -= part;
		offset += part;
	}
	return true;
}

/* 64 bins for each power of two. */
void hist_add(struct hist *h, int64_t ns)
{
	uint64_t v = ns < 64 ? 64 : (uint64_t)ns;
	unsigned power = 63u - (unsigned)__builtin_clzll(v);
	h->bin[power * 64 + (v >> (power - 6) & 63)]++;
	h->n++;
}

double hist_us(const struct hist *h, double part)
{
	uint64_t want = (uint64_t)((double)h->n * part), seen = 0;
	for (unsigned i = 0; i < 64 * 64; i++) {
		seen += h->bin[i];
		if (seen > want)
			return (double)((64 + i % 64) << 1 | 1) / 2 * (double)(1ULL << i / 64) / 64 / 1000;
	}
	return 0;
}

void load_ready(void)
{
	char line[16];
	puts("ready");
	if (fgets(line, sizeof(line), stdin) == NULL)
		load_die("no go on stdin");
}

void load_stay(void)
{
	while (getchar() != EOF)
		;
}

void load_report(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fputc('{', stderr);
	vfprintf(stderr, fmt, args);
	fputs("}\n", stderr);
	va_end(args);
}
