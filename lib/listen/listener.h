/* Listening sockets: bind every address of a server with one and the same port, Unix paths with their rules, inherited
 * descriptors. */
#ifndef LISTEN_LISTENER_H
#define LISTEN_LISTENER_H

#include "net/addr.h"
#include "net/run.h"
#include "net/unix_path.h"

enum { LISTENER_MOST = 16 };

extern const struct opt_group listener_opts; /* --unix-mode */
struct listener_conf {
	bool has_mode;
	unsigned unix_mode; /* permission bits, with has_mode; by the umask otherwise */
};

struct listener { /* one bound socket; zeroed: none */
	int fd;
	bool dgram, inherited;
	bool connected; /* inherited, and itself the one connection (accepted_fd.h); fd is -1 when it has been accepted */
	bool unblocked; /* it was inherited as blocking, and is made so again at the end */
	struct sa local;
};

struct listeners {
	struct listener v[LISTENER_MOST];
	unsigned n;
	uint16_t port;		 /* of all; 0 for Unix */
	int backlog;		 /* of stream listeners */
	bool chosen;		 /* the port is the system's choice */
	struct exit_unlink file; /* our socket file */
};

/* Binds and listens (datagram sockets: binds). Port 0: one number for IPv6 and IPv4. Without IPv6 in the kernel IPv4 alone. A
 * dead Unix socket file is replaced, a live one or another file is refused: this is found with the other socket type (EPROTOTYPE
 * is live, ECONNREFUSED dead), which disturbs no server. -1 with e (ERR_LISTEN), nothing left behind. With --fault refuse-for
 * stream sockets are only bound, and listeners_listen does the rest later. */
int listeners_open(struct listeners *l, const struct run *run, const struct addr *a, int backlog, struct err *e);
int listeners_listen(struct listeners *l, struct err *e); /* -1 with e (ERR_LISTEN) */
void listeners_close(struct listeners *l); /* also removes our socket file, if it is still ours; may be called twice */

#endif
