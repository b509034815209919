/* Reporting readiness (ready.h): every socket listens by then, so a reader may connect at once.
 *
 * The port file is written beside its place and renamed, so a reader finds either no file or a whole line. Its temporary is made
 * before any socket: a folder that is missing or not writable is an error of the command line. */
#include "listen/ready.h"
#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"
#include "base/exit_unlink.h"
#include "listen/notify.h"
#include "listen/self_url.h"
#include "tls/tls.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	NAME_TRIES = 16,
	STDOUT_MS = 10000,
	LINE_MOST = 320,
	FIRST_OTHER = 3 /* 0 to 2 are stdin, stdout and stderr, which stay open */
};

struct ready {
	const struct run *run;
	const struct ready_conf *conf;
	char *temp;		 /* the port file before its rename; NULL: none, or renamed */
	int temp_fd;		 /* -1: none */
	struct exit_unlink file; /* the port file */
	bool placed;
};

#define AT(field) .off = offsetof(struct ready_conf, field)
static const struct opt rows[] = {
	{ .name = "print-port",
		.ch = '1',
		.kind = OPT_FLAG,
		AT(print_port),
		.help = "the first line on stdout is the port",
		.man = "Once all sockets listen, print the port (of a Unix socket the path) as the first line on stdout. The one "
		       "exception to stdout being payload." },
	{ .name = "port-file",
		.kind = OPT_TEXT,
		.needs = NEEDS_UNLINK,
		AT(port_file),
		.arg = "FILE",
		.help = "write the port to FILE, whole or not at all",
		.man = "Once all sockets listen, write the port and a newline to FILE, which appears whole or not at all and is "
		       "removed at exit." },
	{ .name = "ready-fd",
		.kind = OPT_INT,
		AT(ready_fd),
		.arg = "N",
		.min = 1,
		.max = INT_MAX,
		.help = "write the port to descriptor N and close it",
		.man = "Once all sockets listen, write the port and a newline to the open descriptor N and close it: a reader waits "
		       "just so long." },
	{ 0 },
};
const struct opt_group ready_opts = { .title = "Telling that it is ready", .size = sizeof(struct ready_conf), .rows = rows };

/* --- before any socket --- */

static int check_fd(int fd, bool stdout_taken, struct err *e)
{
	int flags = fcntl(fd, F_GETFL), own = fcntl(fd, F_GETFD);
	if (fd == STDOUT_FILENO && stdout_taken)
		return err_set(
			e, ERR_USAGE, 0, "--ready-fd 1: stdout carries the payload; use another descriptor or --print-port");
	if (flags < 0 || own < 0 || (own & FD_CLOEXEC) != 0) /* an inherited descriptor has no such flag: it is one of ours */
		return err_set(e, ERR_USAGE, EBADF, "--ready-fd %d", fd);
	if ((flags & O_ACCMODE) == O_RDONLY)
		return err_set(e, ERR_USAGE, 0, "--ready-fd %d: it is open for reading only", fd);
	if (fd >= FIRST_OTHER && fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return err_set(e, ERR_USAGE, errno, "--ready-fd %d", fd);
	return 0;
}

static int refuse_file(const char *path, int sys, const char *why, struct err *e)
{
	char shown[300];
	text_show(shown, sizeof shown, path, strlen(path));
	return err_set(e, ERR_USAGE, sys, "--port-file %s%s", shown, why);
}

static int make_temp(struct ready *r, const char *path, struct err *e)
{
	size_t cap = strlen(path) + sizeof ".01234567";
	r->temp = mem_new(cap);
	if (r->temp == NULL)
		return err_set(e, ERR_LOCAL, 0, "--port-file: no memory");
	for (int i = 0; i < NAME_TRIES && r->temp_fd < 0; i++) {
		snprintf(r->temp, cap, "%s.%08x", path, (unsigned)sys_random());
		r->temp_fd = sys_open(r->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
		if (r->temp_fd < 0 && errno != EEXIST)
			break;
	}
	if (r->temp_fd >= 0)
		return 0;
	int sys = errno;
	mem_free(r->temp); /* it was not created */
	r->temp = NULL;
	return refuse_file(path, sys, "", e);
}

/* Renaming would replace a device or a link, too. */
static int check_file(struct ready *r, const char *path, struct err *e)
{
	struct stat st;
	if (*path == '\0')
		return refuse_file(path, 0, ": the path is empty", e);
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return refuse_file(path, 0, ": a file that is not a regular one has that name", e);
	return make_temp(r, path, e);
}

struct ready *ready_open(const struct run *run, bool stdout_taken, struct err *e)
{
	struct ready *r = mem_new(sizeof *r);
	if (r == NULL) {
		err_set(e, ERR_LOCAL, 0, "no memory");
		return NULL;
	}
	*r = (struct ready){ .run = run, .conf = conf_get(run->conf, &ready_opts), .temp_fd = -1, .file = EXIT_UNLINK_NONE };
	if ((!r->conf->print_port || run_claim_stdout(run, "the port", e) == 0) &&
		(r->conf->ready_fd == 0 || check_fd((int)r->conf->ready_fd, stdout_taken, e) == 0) &&
		(r->conf->port_file == NULL || check_file(r, r->conf->port_file, e) == 0))
		return r;
	ready_close(r);
	return NULL;
}

/* --- telling --- */

static int write_all(int fd, const char *line, size_t len)
{
	while (len > 0) {
		struct iovec v = { (void *)(uintptr_t)line, len };
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		ssize_t n = sys_writev(fd, &v, 1);
		if (n < 0 && errno == EAGAIN) { /* no client is served yet, so a reader may take a bounded time */
			int ready = sys_poll(&p, 1, STDOUT_MS);
			if (ready > 0 || (ready < 0 && errno == EINTR))
				continue;
			errno = ready == 0 ? ETIMEDOUT : errno;
			return -1;
		}
		if (n < 0 && errno != EINTR)
			return -1;
		line += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int print_port(const char *line, size_t len, struct err *e)
{
	if (write_all(STDOUT_FILENO, line, len) == 0)
		return 0;
	return err_set(e, errno == EPIPE ? ERR_PIPE : ERR_LOCAL, errno, "write stdout");
}

static int place_file(struct ready *r, const char *line, size_t len, struct err *e)
{
	const char *path = r->conf->port_file;
	int written = write_all(r->temp_fd, line, len), sys = errno;
	int closed = close(r->temp_fd);
	r->temp_fd = -1;
	if (written != 0)
		return err_set(e, ERR_LOCAL, sys, "write %s", r->temp);
	if (closed != 0 || rename(r->temp, path) != 0)
		return err_set(e, ERR_LOCAL, errno, "write %s", path);
	r->placed = true;
	exit_unlink_take(&r->file, path); /* if its folder cannot be opened the file stays */
	return 0;
}

static int tell_fd(int fd, const char *line, size_t len, struct err *e)
{
	int r = write_all(fd, line, len), sys = errno;
	if (fd >= FIRST_OTHER)
		close(fd);
	return r == 0 ? 0 : err_set(e, ERR_LOCAL, sys, "write to descriptor %d", fd);
}

static void tell_listener(const struct ready *r, const struct listeners *l, const struct listener *one, const char *addr)
{
	char text[SA_TEXT], host[SA_TEXT];
	bool path = one->local.family == AF_UNIX, six = one->local.family == AF_INET6;
	const char *proto = path ? (one->dgram ? "unix-dgram" : "unix") : one->dgram ? "udp" : "tcp";
	event(r->run->events, l->chosen ? EV_PORT : EV_LISTEN, 0, EV_TEXT("proto", proto),
		EV_TEXT("addr", path ? addr : sa_text(&one->local, text)),
		EV_TEXT("host", path ? NULL : sa_host(&one->local, host)), EV_SOME("port", sa_port(&one->local)),
		EV_TEXT("family", path	? "unix"
				  : six ? "ipv6"
					: "ipv4"),
		EV_SOME("backlog", one->dgram ? 0 : l->backlog));
}

/* Each number once: all addresses share one, but inherited sockets need not. */
static void list_ports(char out[LISTENER_MOST * 8], const struct listeners *l)
{
	size_t n = 0;
	out[0] = '\0';
	for (unsigned i = 0; i < l->n; i++) {
		unsigned port = sa_port(&l->v[i].local), k = 0;
		while (k < i && sa_port(&l->v[k].local) != port)
			k++;
		if (k == i && port != 0)
			n += (size_t)snprintf(out + n, 8, "%s%u", n > 0 ? ", " : "", port);
	}
}

static void tell_events(const struct ready *r, const struct listeners *l, const struct addr *a)
{
	struct self_url where;
	char ports[LISTENER_MOST * 8];
	for (unsigned i = 0; i < l->n; i++)
		if (!l->v[i].connected)
			tell_listener(r, l, &l->v[i], a->text);
	tls_tell_pin(r->run);
	self_url_of(&where, l, a);
	list_ports(ports, l);
	event(r->run->events, EV_READY, 0, EV_NUMS("ports", ports), EV_TEXT("host", where.host[0] != '\0' ? where.host : NULL),
		EV_TEXT("url", where.url[0] != '\0' ? where.url : NULL), EV_TEXT("pin", tls_pin(r->run)));
}

/* The port, the path, or what else the address is called. */
static size_t form_line(char *out, size_t cap, const struct listeners *l, const struct addr *a)
{
	if (l->port != 0)
		return (size_t)snprintf(out, cap, "%u\n", (unsigned)l->port);
	if (a->path_len == 0)
		return (size_t)snprintf(out, cap, "%s\n", a->text);
	bool abstract = a->path[0] == '\0';
	return (size_t)snprintf(out, cap, "%s%.*s\n", abstract ? "@" : "", (int)(a->path_len - abstract), a->path + abstract);
}

int ready_tell(struct ready *r, const struct listeners *l, const struct addr *a, struct err *e)
{
	char line[LINE_MOST + 8];
	size_t len = form_line(line, sizeof line, l, a);
	tell_events(r, l, a);
	if (r->conf->port_file != NULL && place_file(r, line, len, e) != 0)
		return -1;
	if (r->conf->print_port && print_port(line, len, e) != 0)
		return -1;
	if (r->conf->ready_fd != 0 && tell_fd((int)r->conf->ready_fd, line, len, e) != 0)
		return -1;
	notify_ready(r->run);
	return 0;
}

int ready_folder(const struct ready *r)
{
	return r->file.folder;
}

void ready_close(struct ready *takes)
{
	if (takes == NULL)
		return;
	sys_close(takes->temp_fd);
	exit_unlink_remove(&takes->file);
	if (!takes->placed && takes->temp != NULL)
		unlink(takes->temp);
	mem_free(takes->temp);
	mem_free(takes);
}
