/* Accepted connections (accepted_fd.h). inetd gives one as stdin, stdout and stderr at once: three more references to a socket
 * that the peer would wait for after our close. */
#include "listen/accepted_fd.h"

#include "base/sys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_OTHER = 3 };

static int accepted_fd_ask(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof value;
	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

bool accepted_fd_is(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	return accepted_fd_ask(fd, SO_TYPE) == SOCK_STREAM && accepted_fd_ask(fd, SO_ACCEPTCONN) == 0 &&
	       getpeername(fd, (struct sockaddr *)&ss, &len) == 0;
}

static bool same_socket(int fd, int other)
{
	struct stat a, b;
	return fstat(fd, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int replace_std(int fd, struct err *e)
{
	int null = sys_open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY, 0);
	int rc = null >= 0 && dup2(null, fd) == fd ? 0 : err_set(e, ERR_LOCAL, errno, "open /dev/null");
	sys_close(null);
	return rc;
}

int accepted_fd_take(struct addr *a, bool needs_stdout, struct err *e)
{
	if (a->kind != ADDR_FD || a->fds != 1 || !accepted_fd_is(a->fd))
		return 0;
	if (needs_stdout && same_socket(STDOUT_FILENO, a->fd))
		return err_set(e, ERR_USAGE, 0,
			"listen %s: standard output is the connection itself; use a service such as --exec or --forward",
			a->text);
	int fd = a->fd < FIRST_OTHER ? fcntl(a->fd, F_DUPFD_CLOEXEC, FIRST_OTHER) : a->fd;
	if (fd < 0)
		return err_set(e, ERR_LOCAL, errno, "listen %s", a->text);
	for (int std = 0; std < FIRST_OTHER; std++)
		if (same_socket(std, fd) && replace_std(std, e) != 0)
			return -1;
	a->fd = fd;
	return 0;
}
