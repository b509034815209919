/* The seam: system calls that make sockets, wait or move bytes, each under its own name with sys_ before it.
 *
 * In a release build each is the call itself, inline. Built with -DSYS_SEAM, each first asks `sys_gate`, which may fail
 * it with an errno or shorten what it moves; tests install a gate of their own, and the seam build of the program reads
 * one from the environment (tests/seam/gate.c). Nothing else in the tree calls these functions directly. */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum sys_call {
	SYS_MEMORY,
	SYS_CRYPTO, /* memory of OpenSSL */
	SYS_SOCKET,
	SYS_BIND,
	SYS_LISTEN,
	SYS_ACCEPT,
	SYS_CONNECT,
	SYS_SHUTDOWN,
	SYS_SETSOCKOPT,
	SYS_READ,   /* readv, recvmsg, recvmmsg */
	SYS_WRITE,  /* writev, sendmsg, sendmmsg */
	SYS_SPLICE, /* splice, sendfile */
	SYS_WAIT,   /* select, epoll_wait, poll */
	SYS_PIPE,
	SYS_FORK,
	SYS_OPEN,
	SYS_WAKE, /* a signal's byte to the loop */
	SYS_CALLS
};

#ifdef __linux__
#include <sys/sendfile.h>
#endif

struct sys_room { /* where the gate puts the rest of a shortened call */
	struct msghdr m;
	struct iovec v[2];
};

#ifdef SYS_SEAM
/* Before each call: 0 lets it run, an errno fails it with that; *most_bytes may be lowered (to at least 1). */
extern int (*sys_gate)(enum sys_call call, int fd, size_t *most_bytes);
int sys_seam_open(struct err *e);     /* installs the gate that SOCKCTL_SEAM describes, if any. -1 with e: not understood */
void sys_seam_close(void);	      /* the end of the run: writes the requested report */
bool sys_allowed(enum sys_call call); /* sets errno */
bool sys_allowed_on(enum sys_call call, int fd);
bool sys_allowed_most(enum sys_call call, int fd, size_t *n); /* may lower n, to 1 at the least */
bool sys_shortened(enum sys_call call, int fd, const struct iovec **v, int *n, struct sys_room *room);
/* What of m may be moved, perhaps in room; NULL with errno. A datagram (whole) is never shortened. */
struct msghdr *sys_shortened_msg(enum sys_call call, int fd, struct msghdr *m, bool whole, struct sys_room *room);
#else
static inline int sys_seam_open(struct err *e)
{
	(void)e;
	return 0;
}
static inline void sys_seam_close(void)
{
}
static inline bool sys_allowed(enum sys_call call)
{
	(void)call;
	return true;
}
static inline bool sys_allowed_on(enum sys_call call, int fd)
{
	(void)fd;
	return sys_allowed(call);
}
static inline bool sys_allowed_most(enum sys_call call, int fd, size_t *n)
{
	(void)n;
	return sys_allowed_on(call, fd);
}
static inline bool sys_shortened(enum sys_call call, int fd, const struct iovec **v, int *n, struct sys_room *room)
{
	(void)v;
	(void)n;
	(void)room;
	return sys_allowed_on(call, fd);
}
static inline struct msghdr *sys_shortened_msg(enum sys_call call, int fd, struct msghdr *m, bool whole, struct sys_room *room)
{
	(void)whole;
	(void)room;
	return sys_allowed_on(call, fd) ? m : NULL;
}
#endif

static inline ssize_t sys_readv(int fd, const struct iovec *v, int n)
{
	struct sys_room room;
	return sys_shortened(SYS_READ, fd, &v, &n, &room) ? readv(fd, v, n) : -1;
}

static inline ssize_t sys_writev(int fd, const struct iovec *v, int n)
{
	struct sys_room room;
	return sys_shortened(SYS_WRITE, fd, &v, &n, &room) ? writev(fd, v, n) : -1;
}

static inline ssize_t sys_pread(int fd, void *buf, size_t n, off_t at)
{
	return sys_allowed_most(SYS_READ, fd, &n) ? pread(fd, buf, n, at) : -1;
}

/* Stream sockets may be shortened; for datagrams (whole = true) the gate may only fail the call. */
static inline ssize_t sys_recvmsg(int fd, struct msghdr *m, int flags, bool whole)
{
	struct sys_room room;
	m = sys_shortened_msg(SYS_READ, fd, m, whole, &room);
	return m != NULL ? recvmsg(fd, m, flags) : -1;
}

static inline ssize_t sys_sendmsg(int fd, const struct msghdr *m, int flags, bool whole)
{
	struct sys_room room;
	m = sys_shortened_msg(SYS_WRITE, fd, (struct msghdr *)m, whole, &room);
	return m != NULL ? sendmsg(fd, m, flags) : -1;
}

/* Many datagrams in one call: how many, or -1. A system without such calls moves them one by one, and reads one a call, so that
 * no error is lost behind what came before it. The gate may lower how many they are: most_bytes counts datagrams here. */
#ifdef __linux__
#define sys_mmsghdr mmsghdr
enum { SYS_BATCH = 64 };
#else
struct sys_mmsghdr {
	struct msghdr msg_hdr;
	unsigned msg_len;
};
enum { SYS_BATCH = 1 };
#endif
int sys_recvmmsg(int fd, struct sys_mmsghdr *v, unsigned n, int flags); /* asks SYS_BATCH at most */
int sys_sendmmsg(int fd, struct sys_mmsghdr *v, unsigned n, int flags);

#ifdef __linux__
/* Never waits for a pipe. A socket must be nonblocking itself: the flags of this call do not apply to it. */
static inline ssize_t sys_splice(int from, int to, size_t n)
{
	return sys_allowed_most(SYS_SPLICE, from, &n) ? splice(from, NULL, to, NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK) : -1;
}

/* Moves the offset of the file, as reading does. */
static inline ssize_t sys_sendfile(int to, int from, size_t n)
{
	return sys_allowed_most(SYS_SPLICE, to, &n) ? sendfile(to, from, NULL, n) : -1;
}
#endif

/* The run was ended before its loop turns (loop/prelude.h): an interrupted call is not tried again. */
extern volatile sig_atomic_t sys_called_off;
static inline bool sys_again(void)
{
	return errno == EINTR && !sys_called_off;
}

/* Nonblocking and close-on-exec at creation if the system can, else at once after it. */
int sys_socket(int family, int type, int protocol);
int sys_accept(int fd, struct sockaddr *sa, socklen_t *len);
int sys_pipe(int fd[2]);
void sys_pipe_grow(int fd, int bytes);			 /* room for so many, if the system allows; never less than now */
int sys_open(const char *path, int flags, mode_t mode);	 /* adds O_CLOEXEC and O_NOCTTY */
int sys_openat(int folder, const char *name, int flags); /* likewise; nothing is made */

uint32_t sys_random(void); /* for seeds, not for secrets */

static inline int sys_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	return sys_allowed_on(SYS_BIND, fd) ? bind(fd, sa, len) : -1;
}

static inline int sys_listen(int fd, int backlog)
{
	return sys_allowed_on(SYS_LISTEN, fd) ? listen(fd, backlog) : -1;
}

static inline int sys_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	return sys_allowed_on(SYS_CONNECT, fd) ? connect(fd, sa, len) : -1;
}

static inline int sys_shutdown(int fd, int how)
{
	return sys_allowed_on(SYS_SHUTDOWN, fd) ? shutdown(fd, how) : -1;
}

static inline int sys_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return sys_allowed_on(SYS_SETSOCKOPT, fd) ? setsockopt(fd, level, name, value, len) : -1;
}

static inline int sys_select(int n, fd_set *r, fd_set *w, struct timeval *tv)
{
	return sys_allowed(SYS_WAIT) ? select(n, r, w, NULL, tv) : -1;
}

static inline int sys_poll(struct pollfd *p, nfds_t n, int timeout_ms)
{
	return sys_allowed(SYS_WAIT) ? poll(p, n, timeout_ms) : -1;
}

static inline pid_t sys_fork(void)
{
	return sys_allowed(SYS_FORK) ? fork() : -1;
}

/* One byte, also from a signal handler. */
static inline ssize_t sys_wake(int fd)
{
	return sys_allowed_on(SYS_WAKE, fd) ? write(fd, "", 1) : -1;
}

/* Closes and keeps errno, for the many error paths. -1 is fine. */
static inline void sys_close(int fd)
{
	int keep = errno;
	if (fd >= 0)
		close(fd);
	errno = keep;
}

#endif
