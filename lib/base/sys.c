/* The system calls that are more than one line (sys.h). */
#include "base/sys.h"

#include <stdint.h>
#include <time.h>

#if defined(__linux__) || defined(__APPLE__)
#include <sys/random.h>
#endif

#ifndef SOCK_CLOEXEC /* macOS: not at creation, but before anything else runs */
static int sys_made(int fd)
{
	if (fd >= 0 && (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)) {
		sys_close(fd);
		return -1;
	}
	return fd;
}
#endif

int sys_socket(int family, int type, int protocol)
{
	if (!sys_allowed(SYS_SOCKET))
		return -1;
#ifdef SOCK_CLOEXEC
	return socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
#else
	return sys_made(socket(family, type, protocol));
#endif
}

int sys_accept(int fd, struct sockaddr *sa, socklen_t *len)
{
	if (!sys_allowed_on(SYS_ACCEPT, fd))
		return -1;
#ifdef SOCK_CLOEXEC
	return accept4(fd, sa, len, SOCK_CLOEXEC | SOCK_NONBLOCK);
#else
	return sys_made(accept(fd, sa, len));
#endif
}

int sys_pipe(int fd[2])
{
	if (!sys_allowed(SYS_PIPE))
		return -1;
#ifdef SOCK_CLOEXEC
	return pipe2(fd, O_CLOEXEC | O_NONBLOCK);
#else
	if (pipe(fd) != 0)
		return -1;
	if (sys_made(fd[0]) >= 0 && sys_made(fd[1]) >= 0)
		return 0;
	sys_close(fd[0]); /* one of them is closed already, which is harmless: there is one thread */
	sys_close(fd[1]);
	return -1;
#endif
}

void sys_pipe_grow(int fd, int bytes)
{
#ifdef F_SETPIPE_SZ
	int keep = errno;
	if (fcntl(fd, F_GETPIPE_SZ) < bytes)
		fcntl(fd, F_SETPIPE_SZ, bytes); /* EPERM: more than an ordinary user gets, which is fine */
	errno = keep;
#else
	(void)fd;
	(void)bytes;
#endif
}

volatile sig_atomic_t sys_called_off;

int sys_open(const char *path, int flags, mode_t mode)
{
	int fd;
	do
		fd = sys_allowed(SYS_OPEN) ? open(path, flags | O_CLOEXEC | O_NOCTTY, mode) : -1;
	while (fd < 0 && sys_again());
	return fd;
}

int sys_openat(int folder, const char *name, int flags)
{
	int fd;
	do
		fd = sys_allowed(SYS_OPEN) ? openat(folder, name, flags | O_CLOEXEC | O_NOCTTY) : -1;
	while (fd < 0 && sys_again());
	return fd;
}

/* How many of n datagrams the gate lets pass; -1 with errno. */
static int sys_passed(enum sys_call call, int fd, unsigned n)
{
	size_t most = n;
	return sys_allowed_most(call, fd, &most) ? (int)most : -1;
}

/* The C libraries differ in the type of the flags. */
#ifdef __GLIBC__
typedef int mmsg_flags;
#else
typedef unsigned mmsg_flags;
#endif

int sys_recvmmsg(int fd, struct sys_mmsghdr *v, unsigned n, int flags)
{
	int most = sys_passed(SYS_READ, fd, n);
	if (most < 0)
		return -1;
#ifdef __linux__
	return recvmmsg(fd, v, (unsigned)most, (mmsg_flags)flags, NULL);
#else
	ssize_t got = recvmsg(fd, &v->msg_hdr, flags);
	v->msg_len = got > 0 ? (unsigned)got : 0;
	return got < 0 ? -1 : 1;
#endif
}

int sys_sendmmsg(int fd, struct sys_mmsghdr *v, unsigned n, int flags)
{
	int most = sys_passed(SYS_WRITE, fd, n);
	if (most < 0)
		return -1;
#ifdef __linux__
	return sendmmsg(fd, v, (unsigned)most, (mmsg_flags)flags);
#else
	for (int i = 0; i < most; i++)
		if (sendmsg(fd, &v[i].msg_hdr, flags) < 0)
			return i > 0 ? i : -1;
	return most;
#endif
}

uint32_t sys_random(void)
{
	uint32_t n = 0;
	if (getentropy(&n, sizeof n) == 0)
		return n;
	struct timespec now = { 0 }; /* without entropy: at least hard to guess */
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint32_t)now.tv_nsec * 2654435761U ^ (uint32_t)now.tv_sec ^ (uint32_t)getpid() << 16;
}
