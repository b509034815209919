/* Connected pairs of real sockets on loopback. */
#ifndef TESTS_SOCKETS_H
#define TESTS_SOCKETS_H

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* TCP: fd[0] is the one that connected, fd[1] the accepted one. */
static inline void tcp_pair(int fd[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(l, (struct sockaddr *)&at, sizeof at) != 0 || listen(l, 1) != 0 ||
		getsockname(l, (struct sockaddr *)&at, &len) != 0 || connect(fd[0], (struct sockaddr *)&at, len) != 0 ||
		(fd[1] = accept(l, NULL, NULL)) < 0)
		abort();
	close(l);
}

/* Closes with a reset. */
static inline void reset_close(int fd)
{
	const struct linger now = { .l_onoff = 1 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(fd);
}

#endif
