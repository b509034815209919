/* What the load generators share: words of the command line, a clock, addresses, the stream that is sent and checked, latencies,
 * and the conversation with the driver.
 *
 * A generator takes NAME=VALUE words. Each is a small epoll loop or a blocking one, single-threaded, on loopback only. It prints
 * "port N" when it has bound a port of its own and "ready" when its connections stand; what it measured is one JSON line on
 * stderr. When something is wrong it says so on stderr and exits with 1; an alarm ends it when it hangs. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <netinet/in.h>

/* First call in main: remembers the words, ignores SIGPIPE, sets the alarm (a minute more than seconds=). */
void load_start(int argc, char **argv);
/* The value of NAME=VALUE, or other. */
const char *load_word(const char *name, const char *other);
long load_number(const char *name, long other);
double load_real(const char *name, double other);

/* One line on stderr with errno's words when errno is not 0; exit status 1. */
_Noreturn __attribute__((format(printf, 1, 2))) void load_die(const char *fmt, ...);
/* n itself; dies with these words when it is negative. */
long load_ok(long n, const char *what);

int64_t load_now_ns(void);

/* 127.0.0.1, or 127.0.x.y for host 1 and up: clients with many source addresses run out of no ports. */
struct sockaddr_in load_at(unsigned host, long port);
/* A TCP or UDP socket bound to a free port of 127.0.0.1, which is printed. TCP listens. */
int load_bind(int type);
/* Connected to port=; a TCP connection has no delay and times out after 10 s; dies when it cannot. */
int load_dial(int type, unsigned host);
void load_nonblocking(int fd);

/* The stream: this block again and again. Its length is a prime number of pages, so that no buffer size hides bytes out of place;
 * every byte has its top bit set, so that no program takes one for a command. */
enum { BLOCK_BYTES = 257 * 4096 };
const unsigned char *load_block(void);
/* The block as a file in memory, for sendfile. */
int load_block_fd(void);
/* Whether these bytes are what the stream has at that offset. */
bool load_is_stream(const void *bytes, size_t n, uint64_t offset);

/* Latencies, to 1.6 %. */
struct hist {
	uint64_t n, bin[64 * 64];
};
void hist_add(struct hist *h, int64_t ns);
double hist_us(const struct hist *h, double part);

/* "ready", then waits for the driver's "go"; load_stay waits until the driver closes our stdin. */
void load_ready(void);
void load_stay(void);
/* One JSON object on stderr: {"name": number, ...}; fmt is what stands between the braces. */
__attribute__((format(printf, 1, 2))) void load_report(const char *fmt, ...);

#endif
