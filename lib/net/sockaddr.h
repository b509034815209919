/* Numeric socket addresses, small enough to keep one per client. Unix paths live in struct addr and in the server. */
#ifndef NET_SOCKADDR_H
#define NET_SOCKADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct sa { /* zeroed: none. AF_UNIX carries no path. */
	uint16_t family, len;
	unsigned char b[28]; /* the whole sockaddr_in or sockaddr_in6 */
};

enum { SA_TEXT = 80 }; /* room for any text */

void sa_from(struct sa *sa, const struct sockaddr *from, socklen_t len); /* v4-mapped IPv6 becomes IPv4 */
socklen_t sa_to(const struct sa *sa, struct sockaddr_storage *to);
bool sa_parse(struct sa *sa, const char *numeric, uint16_t port); /* "::1", "fe80::1%eth0", "127.0.0.1" */
const char *sa_text(const struct sa *sa, char out[SA_TEXT]);	  /* "127.0.0.1:80", "[::1]:80", "unix"; returns out */
void sa_keep_zones(
	void); /* names of interfaces can then be asked for when no socket can be opened any more (sandbox/sandbox.h) */
void sa_free_zones(void);				     /* what that opened */
const char *sa_host(const struct sa *sa, char out[SA_TEXT]); /* without the port */
uint16_t sa_port(const struct sa *sa);
void sa_set_port(struct sa *sa, uint16_t port);
bool sa_loopback(const struct sa *sa);
bool sa_any(const struct sa *sa); /* 0.0.0.0 or :: */
bool sa_multicast(const struct sa *sa);
bool sa_equal(const struct sa *a, const struct sa *b);
/* The local or remote address of a socket; family 0 where there is none. */
void sa_of(struct sa *sa, int fd, bool remote);

#endif
