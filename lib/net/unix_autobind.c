/* Linux binds a Unix socket to an abstract name of its choice if the address is only a family. Other systems have paths only:
 * ours lies in a new folder that only this user may enter, and a layer that passes everything through removes both when the
 * stream closes. */
#include "net/unix_autobind.h"

#include "base/mem.h"
#include "base/sys.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#ifdef __linux__

int unix_autobind(int fd, struct err *e)
{
	const struct sockaddr_un un = { .sun_family = AF_UNIX };
	if (sys_bind(fd, (const struct sockaddr *)&un, sizeof un.sun_family) == 0)
		return 0;
	return err_set(e, ERR_LISTEN, errno, "bind a name for the answers");
}

void unix_autobind_remove(int fd)
{
	(void)fd; /* abstract names end with their socket */
}

int unix_autobind_push(struct stream **top)
{
	(void)top;
	return 0;
}

#else

static const char leaf[] = "/s";

static void remove_path(char *path)
{
	size_t len = strlen(path), end = sizeof leaf - 1;
	if (len <= end || strcmp(path + len - end, leaf) != 0)
		return;
	unlink(path);
	path[len - end] = '\0';
	rmdir(path);
}

int unix_autobind(int fd, struct err *e)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/tmp/sockctl-XXXXXX" };
	if (mkdtemp(un.sun_path) == NULL)
		return err_set(e, ERR_LISTEN, errno, "make a folder for a name in /tmp");
	memcpy(un.sun_path + strlen(un.sun_path), leaf, sizeof leaf);
	if (sys_bind(fd, (const struct sockaddr *)&un, sizeof un) == 0)
		return 0;
	int sys = errno;
	remove_path(un.sun_path);
	return err_set(e, ERR_LISTEN, sys, "bind a name for the answers");
}

void unix_autobind_remove(int fd)
{
	struct sockaddr_un un;
	socklen_t len = sizeof un - 1;
	memset(&un, 0, sizeof un); /* the path may come without its NUL */
	if (getsockname(fd, (struct sockaddr *)&un, &len) == 0 && len > offsetof(struct sockaddr_un, sun_path))
		remove_path(un.sun_path);
}

static void close_named(struct stream *s, enum close_how how)
{
	unix_autobind_remove(s->rfd);
	stream_close(s->below, how);
	mem_free(s);
}

static const struct stream_ops named = {
	.name = "unixname",
	.readv = stream_pass_readv,
	.writev = stream_pass_writev,
	.close = close_named,
};

int unix_autobind_push(struct stream **top)
{
	struct stream *s = mem_new(sizeof *s);
	if (s == NULL)
		return -1;
	stream_push(s, &named, *top);
	*top = s;
	return 0;
}

#endif
