/* Socket files (unix_path.h).
 *
 * To find whether a server is behind a socket file, a datagram socket is connected, which disturbs no server: for a stream server
 * the kernel answers EPROTOTYPE, a datagram server is connected to and sent nothing, and without a server the answer is
 * ECONNREFUSED. Between this check and the removal the file must not have changed; of two servers that start at once over one
 * dead file only one can take it, because the second finds another inode. */
#include "net/unix_path.h"
#include "base/sys.h"

#include <string.h>
#include <sys/stat.h>

enum { TRIES = 3 };
enum find { FREE, DEAD, LIVE, OTHER, UNKNOWN }; /* UNKNOWN: errno says why */

static enum find unix_path_ask(const struct sockaddr_un *un, socklen_t len)
{
	int fd = sys_socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0)
		return UNKNOWN;
	int r = sys_connect(fd, (const struct sockaddr *)un, len);
	sys_close(fd);
	if (r == 0 || errno == EPROTOTYPE || errno == EPERM) /* EPERM: a datagram socket connected to another peer */
		return LIVE;
	return errno == ECONNREFUSED ? DEAD : errno == ENOENT ? FREE : UNKNOWN;
}

static enum find unix_path_look(const char *path, const struct sockaddr_un *un, socklen_t len, struct stat *st)
{
	if (lstat(path, st) != 0)
		return errno == ENOENT ? FREE : UNKNOWN;
	return S_ISSOCK(st->st_mode) ? unix_path_ask(un, len) : OTHER;
}

static bool same_file(const char *path, const struct stat *as)
{
	struct stat st;
	return lstat(path, &st) == 0 && st.st_dev == as->st_dev && st.st_ino == as->st_ino;
}

/* Removes a dead socket at the path, or -1. */
static int make_room(const struct addr *a, const struct sockaddr_un *un, socklen_t len, const char *verb, struct err *e)
{
	struct stat st;
	for (int i = 0; i < TRIES; i++) {
		switch (unix_path_look(a->path, un, len, &st)) {
		case FREE:
			return 0;
		case DEAD:
			if (same_file(a->path, &st) && unlink(a->path) != 0 && errno != ENOENT)
				return err_set(e, ERR_LISTEN, errno, "%s %s: remove the dead socket", verb, a->text);
			break;
		case LIVE:
			return err_set(e, ERR_LISTEN, EADDRINUSE, "%s %s", verb, a->text);
		case OTHER:
			return err_set(e, ERR_LISTEN, 0, "%s %s: a file that is not a socket has that name", verb, a->text);
		case UNKNOWN:
			return err_set(e, ERR_LISTEN, errno, "%s %s", verb, a->text);
		}
	}
	return err_set(e, ERR_LISTEN, EADDRINUSE, "%s %s: another server is binding that path", verb, a->text);
}

/* No other user can reach the socket before its mode is set. */
static int bind_masked(int fd, const struct sockaddr_un *un, socklen_t len)
{
	mode_t old = umask(0177);
	int r = sys_bind(fd, (const struct sockaddr *)un, len), sys = errno;
	umask(old);
	errno = sys;
	return r;
}

/* chmod follows links: the file must be the one that we have bound. */
static int set_mode(const char *path, const struct stat *ours, mode_t mode)
{
	if (!same_file(path, ours)) {
		errno = EEXIST;
		return -1;
	}
	return chmod(path, mode);
}

int unix_path_bind(struct exit_unlink *f, int fd, const struct addr *a, mode_t mode, const char *verb, struct err *e)
{
	struct sockaddr_un un;
	struct stat st = { 0 };
	socklen_t len = addr_unix(a, &un);
	bool file = a->path[0] != '\0';
	*f = (struct exit_unlink)EXIT_UNLINK_NONE;
	if (file && make_room(a, &un, len, verb, e) != 0)
		return -1;
	if (bind_masked(fd, &un, len) != 0)
		return err_set(e, ERR_LISTEN, errno, "%s %s", verb, a->text);
	if (!file)
		return 0;
	if (exit_unlink_take(f, a->path) != 0) {
		err_set(e, ERR_LISTEN, errno, "%s %s", verb, a->text);
		unlink(a->path); /* we have just made it */
		return -1;
	}
	st.st_dev = f->dev;
	st.st_ino = f->ino;
	if (set_mode(a->path, &st, mode) == 0)
		return 0;
	err_set(e, ERR_LISTEN, errno, "%s %s: set its mode", verb, a->text);
	exit_unlink_remove(f);
	return -1;
}
