/* The least that can carry a stream from one socket to another: accepts, connects to target=PORT, and moves bytes one way through
 * a pipe of 1 MiB with blocking calls, for one connection after the other, unpaced (a pacing clock would cost it twice that).
 * What a forwarder costs beyond that is its own. Its port is the first line of its stdout. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 20 };

static void move(int from, int to)
{
	int p[2];
	ssize_t n;
	if (pipe(p) != 0 || fcntl(p[0], F_SETPIPE_SZ, PIPE_BYTES) < 0)
		exit(1);
	while ((n = splice(from, NULL, p[1], NULL, PIPE_BYTES, SPLICE_F_MOVE)) > 0)
		for (ssize_t put = 0; n > 0; n -= put)
			if ((put = splice(p[0], NULL, to, NULL, (size_t)n, SPLICE_F_MOVE)) <= 0)
				exit(1);
	close(p[0]);
	close(p[1]);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, target = at;
	socklen_t len = sizeof at;
	int door = socket(AF_INET, SOCK_STREAM, 0);
	if (argc < 2 || strncmp(argv[1], "target=", 7) != 0 || bind(door, (struct sockaddr *)&at, sizeof at) != 0 ||
		listen(door, 1) != 0 || getsockname(door, (struct sockaddr *)&at, &len) != 0)
		return 2;
	target.sin_port = htons((in_port_t)atoi(argv[1] + 7));
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	for (;;) {
		int from = accept(door, NULL, NULL), to = socket(AF_INET, SOCK_STREAM, 0);
		setsockopt(to, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
		if (from < 0 || connect(to, (struct sockaddr *)&target, sizeof target) != 0)
			return 1;
		move(from, to);
		close(to);
		close(from);
	}
}
