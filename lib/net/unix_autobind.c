/* Linux binds a Unix socket to an abstract name of its choice if the address is only a family. Other systems have paths only:
 * ours lies in a new folder that only this user may enter. A layer that passes everything through removes the path when the
 * stream closes, and that folder. */
#include "net/unix_autobind.h"

#include "base/exit_unlink.h"
#include "base/mem.h"
#include "base/sys.h"
#include "net/unix_path.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { OWN_ALONE = 0600 };

struct named {
	struct stream s;
	struct exit_unlink file;
	char path[sizeof((struct sockaddr_un *)0)->sun_path + 1];
};

/* The name that the system gave or took; "" for an abstract one. The path may come without its NUL. */
static void bound_path(int fd, char path[sizeof((struct named *)0)->path])
{
	struct sockaddr_un un = { 0 };
	socklen_t len = sizeof un;
	*path = '\0';
	if (getsockname(fd, (struct sockaddr *)&un, &len) != 0 || len <= offsetof(struct sockaddr_un, sun_path))
		return;
	size_t n = len - offsetof(struct sockaddr_un, sun_path);
	memcpy(path, un.sun_path, n < sizeof un.sun_path ? n : sizeof un.sun_path);
	path[n < sizeof un.sun_path ? n : sizeof un.sun_path] = '\0';
}

#ifdef __linux__

static void remove_folder(char *path)
{
	(void)path; /* of our own making there are only abstract names */
}

#else

static const char folder[] = "/tmp/sockctl-XXXXXX", leaf[] = "/s";

/* The one that was made for this path; a path that the user chose looks different. */
static void remove_folder(char *path)
{
	size_t len = strlen(path), end = sizeof leaf - 1;
	if (len != sizeof folder - 1 + end || strncmp(path, folder, sizeof folder - 7) != 0 ||
		strcmp(path + len - end, leaf) != 0)
		return;
	path[len - end] = '\0';
	rmdir(path);
}

#endif

void unix_autobind_remove(int fd)
{
	struct named n = { .file = EXIT_UNLINK_NONE };
	bound_path(fd, n.path);
	if (n.path[0] == '\0' || exit_unlink_take(&n.file, n.path) != 0)
		return;
	exit_unlink_remove(&n.file);
	remove_folder(n.path);
}

static void named_close(struct stream *s, enum close_how how)
{
	struct named *n = (struct named *)s;
	exit_unlink_remove(&n->file);
	remove_folder(n->path);
	stream_close(s->below, how);
	mem_free(n);
}

static const struct stream_ops named_ops = {
	.name = "unixname",
	.readv = stream_pass_readv,
	.writev = stream_pass_writev,
	.close = named_close,
};

int unix_autobind_push(struct stream **top, int *folder_fd)
{
	char path[sizeof((struct named *)0)->path];
	bound_path((*top)->rfd, path);
	*folder_fd = -1;
	if (path[0] == '\0')
		return 0;
	struct named *n = mem_new(sizeof *n);
	if (n == NULL || exit_unlink_take(&n->file, path) != 0) {
		int sys = errno;
		mem_free(n);
		unix_autobind_remove((*top)->rfd);
		errno = sys;
		return -1;
	}
	memcpy(n->path, path, sizeof path);
	stream_push(&n->s, &named_ops, *top);
	*top = &n->s;
	*folder_fd = n->file.folder;
	return 0;
}

static int bind_chosen(int fd, const struct addr *chosen, struct err *e)
{
	struct exit_unlink file;
	int rc = unix_path_bind(&file, fd, chosen, OWN_ALONE, "bind", e);
	exit_unlink_drop(&file);
	return rc;
}

#ifdef __linux__

int unix_autobind(int fd, const struct addr *chosen, struct err *e)
{
	const struct sockaddr_un un = { .sun_family = AF_UNIX };
	if (chosen != NULL)
		return bind_chosen(fd, chosen, e);
	if (sys_bind(fd, (const struct sockaddr *)&un, sizeof un.sun_family) == 0)
		return 0;
	return err_set(e, ERR_LISTEN, errno, "bind a name for the answers");
}

#else

int unix_autobind(int fd, const struct addr *chosen, struct err *e)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	if (chosen != NULL)
		return bind_chosen(fd, chosen, e);
	memcpy(un.sun_path, folder, sizeof folder);
	if (mkdtemp(un.sun_path) == NULL)
		return err_set(e, ERR_LISTEN, errno, "make a folder for a name in /tmp");
	memcpy(un.sun_path + strlen(un.sun_path), leaf, sizeof leaf);
	if (sys_bind(fd, (const struct sockaddr *)&un, sizeof un) == 0)
		return 0;
	int sys = errno;
	remove_folder(un.sun_path);
	return err_set(e, ERR_LISTEN, sys, "bind a name for the answers");
}

#endif
