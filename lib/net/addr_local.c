/* Addresses without host and port: Unix paths, abstract names, and descriptors that were open at start.
 *
 * Here only the number of an inherited descriptor is found; listener.c checks when it is used whether it is a socket, and of
 * which type. */
#include "net/addr_internal.h"
#include "base/num.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SYSTEMD_FIRST = 3 /* the first passed socket, by the protocol */, FD_HIGHEST = 1 << 20 };

static void addr_local_show(struct addr *a, const char *scheme, const char *rest)
{
	int n = snprintf(a->text, sizeof a->text, "%s", scheme);
	text_show(a->text + n, sizeof a->text - (size_t)n, rest, strlen(rest));
}

/* '@' begins an abstract name, the usual form of the leading NUL; a file of that name is ./@name. */
static int addr_local_abstract(struct reading *r, const char *name)
{
#ifdef __linux__
	size_t n = strlen(name);
	if (n == 0)
		return addr_refuse(r, "the name after @ is missing");
	if (n >= sizeof r->a->path)
		return addr_refuse(r, "the abstract name is too long for the system, which takes 107 bytes");
	memcpy(r->a->path + 1, name, n);
	r->a->path_len = n + 1;
	return 0;
#else
	(void)name;
	return addr_refuse(r, "abstract names exist on Linux only; a file of that name is ./@name");
#endif
}

int addr_read_path(struct reading *r, const char *rest)
{
	struct addr *a = r->a;
	size_t n = strlen(rest);
	if (n == 0)
		return addr_refuse(r, "the path is missing");
	addr_local_show(a, a->kind == ADDR_UNIX_DGRAM ? "unix-dgram:" : "unix:", rest);
	if (*rest == '@')
		return addr_local_abstract(r, rest + 1);
	if (n >= sizeof a->path)
		return addr_refuse(r, "the path has %zu bytes; the system takes %zu at most for a socket", n, sizeof a->path - 1);
	memcpy(a->path, rest, n + 1);
	a->path_len = n;
	return 0;
}

int addr_read_fd(struct reading *r, const char *rest)
{
	int64_t n = 0;
	if (num_int(rest, 0, FD_HIGHEST, &n, NULL) != 0)
		return addr_refuse(r, "expected fd:N with the number of an open descriptor");
	r->a->fd = (int)n;
	r->a->fds = 1;
	snprintf(r->a->text, sizeof r->a->text, "fd:%d", (int)n);
	return 0;
}

/* The descriptors of that name among count of them: consecutive ones, because struct addr keeps the first and how many. */
static int find_named(struct reading *r, const char *name, int count)
{
	const char *names = getenv("LISTEN_FDNAMES");
	int first = -1, n = 0, i = 0;
	for (const char *p = names; p != NULL && i < count; i++) {
		size_t len = strcspn(p, ":");
		if (len == strlen(name) && memcmp(p, name, len) == 0) {
			first = first < 0 ? i : first;
			if (i != first + n++)
				return addr_refuse(r, "the descriptors of that name in $LISTEN_FDNAMES do not stand together");
		}
		p = p[len] == ':' ? p + len + 1 : NULL;
	}
	if (n == 0)
		return addr_refuse(r, "no descriptor in $LISTEN_FDNAMES has that name");
	r->a->fd = SYSTEMD_FIRST + first;
	r->a->fds = n;
	return 0;
}

int addr_read_systemd(struct reading *r, const char *rest)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int64_t id = 0, count = 0;
	if ((r->flags & ADDR_SERVER) == 0)
		return addr_refuse(r, "systemd passes listening sockets, which only a server can use");
	if (pid == NULL || fds == NULL)
		return addr_refuse(r, "no sockets were passed: $LISTEN_PID and $LISTEN_FDS are not set");
	if (num_int(pid, 1, INT64_MAX, &id, NULL) != 0 || id != getpid())
		return addr_refuse(r, "the sockets were passed to another process: $LISTEN_PID is not ours");
	if (num_int(fds, 1, FD_HIGHEST, &count, NULL) != 0)
		return addr_refuse(r, "no sockets were passed: $LISTEN_FDS is no count");
	addr_local_show(r->a, *rest == '\0' ? "systemd" : "systemd:", rest);
	if (*rest != '\0')
		return find_named(r, rest, (int)count);
	r->a->fd = SYSTEMD_FIRST;
	r->a->fds = (int)count;
	return 0;
}
