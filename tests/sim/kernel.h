/* A system of one process under test: one listening socket, its queue, and the connections in it, as TCP does it: what arrives is
 * acknowledged though it was not read, a close with unread bytes is a reset, and a queue that is not emptied is reset when the
 * listener goes. wraps.c leads the calls of lib here; clients (client.h) call from the other end. One at a time. */
#ifndef TESTS_KERNEL_H
#define TESTS_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { KERNEL_CONNS = 6, KERNEL_LISTENER_FD = 10, KERNEL_CONN_FD = 20, KERNEL_PORT = 40000, KERNEL_IN = 48, KERNEL_OUT = 64 };

enum conn_state { CONN_NONE, CONN_QUEUED, CONN_OPEN, CONN_CLOSED /* by the server */, CONN_REFUSED };

struct conn { /* both ends of a connection */
	enum conn_state state;
	/* towards the server */
	char in[KERNEL_IN]; /* acknowledged, not yet read */
	size_t in_n;
	bool in_fin, in_rst;
	bool eof_read, rst_read;
	int64_t eof_ms;
	bool passed; /* its setup is done */
	/* towards the client */
	char out[KERNEL_OUT]; /* written, not yet taken; the first half of it is acknowledged */
	size_t out_n;
	bool out_fin;
	bool deaf, resets; /* SHUT_RD; SO_LINGER of 0 */
	/* what the client's side knows */
	bool got_fin, got_rst;
	bool gone;		 /* the client's process: what comes is answered with a reset */
	void (*news)(void *arg); /* something came for the client, or there is room again */
	void *arg;
};

struct kernel {
	bool on, listens;
	struct conn conn[KERNEL_CONNS];
	int queue[KERNEL_CONNS];
	int queued;
	int open; /* descriptors of the server */
	const int64_t *now_ms;
};
extern struct kernel kernel;

void kernel_start(void);
void kernel_stop(void); /* the process has ended: what it has left open is closed */

/* The client's calls */
void kernel_dial(struct conn *c);
size_t kernel_say(struct conn *c, const char *bytes, size_t n); /* how many were acknowledged */
void kernel_fin(struct conn *c);
void kernel_reset(struct conn *c);
void kernel_leave(struct conn *c); /* the process is killed */
size_t kernel_hear(struct conn *c, char *to, size_t cap);

/* The server's: -1 sets errno */
struct conn *kernel_conn(int fd); /* NULL: not one of them */
bool kernel_has(int fd);
int kernel_listen(void);
int kernel_accept(void);
ssize_t kernel_read(struct conn *c, const struct msghdr *m);
ssize_t kernel_write(struct conn *c, const struct msghdr *m);
int kernel_shutdown(struct conn *c, int how);
int kernel_close(int fd);
size_t kernel_unsent(const struct conn *c);

#endif
