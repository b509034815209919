/* Listening sockets (listener.h): all or none.
 *
 * A wildcard is two sockets, [::] for IPv6 only and 0.0.0.0, because one for both families shows mapped IPv4 addresses, and not
 * every system has it. All are bound before any listens, so that no client is accepted by a server that then fails to start. With
 * port 0 the first bind chooses and the others must get the same number; if one of them is taken, everything starts over.
 * Inherited sockets are checked and used as they are. */
#include "listen/listener.h"
#include "base/sys.h"
#include "base/text.h"
#include "listen/accepted_fd.h"
#include "fault/fault_opts.h"
#include "net/resolve.h"
#include "net/sockopt.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_TRIES = 64, OWN_ALONE = 0600 };
enum course { DONE = 0, FAILED = -1, CLASH = 1 /* the chosen port is taken on another address: choose again */ };

struct opening {
	struct listeners *l;
	const struct run *run;
	const struct addr *a;
	struct err *e;
};

static int read_mode(void *block, const char *text, struct err *e)
{
	struct listener_conf *c = block;
	size_t n = strspn(text, "01234567");
	long mode = strtol(text, NULL, 8);
	if (n < 3 || n > 4 || text[n] != '\0' || mode > 0777) {
		char shown[32];
		text_show(shown, sizeof shown, text, strlen(text));
		return err_set(e, ERR_USAGE, 0, "got \"%s\", expected permission bits such as 0600 or 660", shown);
	}
	c->has_mode = true;
	c->unix_mode = (unsigned)mode;
	return 0;
}

static const struct opt rows[] = {
	{ .name = "unix-mode",
		.with = WITH_UNIX,
		.kind = OPT_HOOK,
		.arg = "MODE",
		.help = "permission bits of the socket file, as 0600",
		.man = "Permission bits of a Unix socket's file, in octal as for chmod: 0600 without this option, whatever the umask is, so "
		       "that no other user can connect. It is never wider than that, not even for a moment.",
		.hook = read_mode },
	{ 0 },
};
const struct opt_group listener_opts = { .title = "Listening", .size = sizeof(struct listener_conf), .rows = rows };

static int listener_refused(const struct opening *o, const struct sa *sa, int sys)
{
	char text[SA_TEXT];
	return err_set(o->e, ERR_LISTEN, sys, "listen %s", sa_text(sa, text));
}

static void let_go(struct listener *one)
{
	if (one->fd < 0)
		return;
	if (one->unblocked)
		fcntl(one->fd, F_SETFL, fcntl(one->fd, F_GETFL) & ~O_NONBLOCK);
	sys_close(one->fd);
	one->fd = -1;
}

static void close_all(struct listeners *l)
{
	for (unsigned i = 0; i < l->n; i++)
		let_go(&l->v[i]);
}

/* --- TCP and UDP --- */

/* Is this wildcard served already by an IPv6 socket that also takes IPv4 (-o v6only=off)? */
static bool is_served(const struct listeners *l, const struct sa *sa)
{
	if (sa->family != AF_INET || !sa_any(sa))
		return false;
	for (unsigned i = 0; i < l->n; i++) {
		int only = 1;
		socklen_t len = sizeof only;
		if (l->v[i].local.family == AF_INET6 && sa_any(&l->v[i].local) &&
			getsockopt(l->v[i].fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len) == 0 && only == 0)
			return true;
	}
	return false;
}

/* A family that the kernel or the machine does not have, and that the user did not name. */
static bool is_absent(const struct sa *sa, int sys)
{
	return sys == EAFNOSUPPORT || (sys == EADDRNOTAVAIL && sa->family == AF_INET6 && (sa_any(sa) || sa_loopback(sa)));
}

static int bind_fd(const struct opening *o, int fd, const struct sa *sa)
{
	static const int on = 1;
	struct sockaddr_storage ss;
	socklen_t len = sa_to(sa, &ss);
	if (sa->family == AF_INET6 && sys_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
		return listener_refused(o, sa, errno);
	if (sockopt_apply(o->run->conf, fd, o->a->kind, sa, SOCKOPT_BIND | SOCKOPT_LISTEN, o->e) != 0)
		return -1;
	if (sys_bind(fd, (const struct sockaddr *)&ss, len) == 0)
		return 0;
	listener_refused(o, sa, errno);
	return sockopt_share_hint(o->run->conf, o->a->kind, sa, o->e);
}

/* e->sys says why it failed. */
static int bind_one(const struct opening *o, const struct sa *sa)
{
	struct listeners *l = o->l;
	bool dgram = addr_dgram(o->a);
	int fd = sys_socket(sa->family, dgram ? SOCK_DGRAM : SOCK_STREAM, sockopt_protocol(o->run->conf, o->a->kind));
	if (fd < 0)
		return listener_refused(o, sa, errno);
	if (bind_fd(o, fd, sa) != 0) {
		sys_close(fd);
		return -1;
	}
	struct listener *one = &l->v[l->n++];
	*one = (struct listener){ .fd = fd, .dgram = dgram };
	sa_of(&one->local, fd, false);
	l->port = sa_port(&one->local);
	return 0;
}

static enum course bind_each(const struct opening *o, const struct sa *list, int n)
{
	for (int i = 0; i < n; i++) {
		struct sa sa = list[i];
		if (o->l->n > 0)
			sa_set_port(&sa, o->l->port);
		if (is_served(o->l, &sa) || bind_one(o, &sa) == 0)
			continue;
		if (o->e->sys == EADDRINUSE && o->a->port == 0 && o->l->n > 0)
			return CLASH;
		if (n == 1 || o->e->cls != ERR_LISTEN || !is_absent(&sa, o->e->sys))
			return FAILED;
	}
	return o->l->n > 0 ? DONE : FAILED;
}

/* With --fault refuse-for, listeners_listen does it later. */
static int listen_one(const struct opening *o, const struct listener *one)
{
	bool later = faults_of(o->run, FAULT_REFUSE_FOR, 0) != NULL;
	return one->dgram || later ? 0 : sys_listen(one->fd, o->l->backlog);
}

static enum course listen_each(const struct opening *o)
{
	for (unsigned i = 0; i < o->l->n; i++) {
		const struct listener *one = &o->l->v[i];
		if (listen_one(o, one) == 0)
			continue;
		listener_refused(o, &one->local, errno);
		return o->e->sys == EADDRINUSE && o->a->port == 0 ? CLASH : FAILED;
	}
	return DONE;
}

static int open_inet(const struct opening *o)
{
	struct sa list[LISTENER_MOST];
	enum course c = CLASH;
	int n = resolve_wait(o->run, o->a, list, LISTENER_MOST, o->e);
	if (n < 0)
		return -1;
	for (int tries = 0; c == CLASH && tries < PORT_TRIES; tries++) {
		close_all(o->l);
		o->l->n = 0;
		c = bind_each(o, list, n);
		if (c == DONE)
			c = listen_each(o);
	}
	o->l->chosen = o->a->port == 0;
	return c == DONE ? 0 : -1;
}

/* --- Unix --- */

static int open_path(const struct opening *o)
{
	const struct listener_conf *conf = conf_get(o->run->conf, &listener_opts);
	const struct addr *a = o->a;
	bool dgram = addr_dgram(a);
	int fd = sys_socket(AF_UNIX, dgram ? SOCK_DGRAM : SOCK_STREAM, 0);
	if (fd < 0)
		return err_set(o->e, ERR_LISTEN, errno, "listen %s", a->text);
	o->l->v[o->l->n++] = (struct listener){ .fd = fd, .dgram = dgram, .local.family = AF_UNIX };
	if (sockopt_apply(o->run->conf, fd, a->kind, &o->l->v[0].local, SOCKOPT_BIND | SOCKOPT_LISTEN, o->e) != 0)
		return -1;
	if (unix_path_bind(&o->l->file, fd, a, conf->has_mode ? (mode_t)conf->unix_mode : OWN_ALONE, "listen", o->e) != 0)
		return -1;
	if (listen_one(o, &o->l->v[0]) == 0)
		return 0;
	return err_set(o->e, ERR_LISTEN, errno, "listen %s", a->text);
}

/* --- inherited --- */

static int ask_int(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof value;
	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

/* accept may block although poll reported a client, if another process with this socket was faster; and accept has no
 * MSG_DONTWAIT. So a listener is made nonblocking, the one case in which a shared description is changed. */
static int listener_unblock(struct listener *one)
{
	int flags = fcntl(one->fd, F_GETFL);
	if (flags < 0 || one->dgram || (flags & O_NONBLOCK) != 0)
		return flags < 0 ? -1 : 0;
	one->unblocked = fcntl(one->fd, F_SETFL, flags | O_NONBLOCK) == 0;
	return one->unblocked ? 0 : -1;
}

static int listener_inherit(const struct opening *o, int fd)
{
	int type = ask_int(fd, SO_TYPE);
	if (type < 0)
		return err_set(o->e, ERR_USAGE, errno, "listen %s: descriptor %d", o->a->text, fd);
	if (type != SOCK_STREAM && type != SOCK_DGRAM)
		return err_set(
			o->e, ERR_USAGE, 0, "listen %s: descriptor %d is neither a stream nor a datagram socket", o->a->text, fd);
	struct listener one = { .fd = fd, .dgram = type == SOCK_DGRAM, .inherited = true, .connected = accepted_fd_is(fd) };
	if (type == SOCK_STREAM && ask_int(fd, SO_ACCEPTCONN) == 0 && !one.connected)
		return err_set(o->e, ERR_USAGE, 0, "listen %s: descriptor %d is a socket that does not listen, and has no peer",
			o->a->text, fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || (!one.connected && listener_unblock(&one) != 0))
		return err_set(o->e, ERR_LISTEN, errno, "listen %s: descriptor %d", o->a->text, fd);
	sa_of(&one.local, fd, false);
	if (o->l->port == 0)
		o->l->port = sa_port(&one.local);
	o->l->v[o->l->n++] = one;
	return 0;
}

static int open_inherited(const struct opening *o)
{
	if (o->a->fds > LISTENER_MOST)
		return err_set(o->e, ERR_USAGE, 0, "listen %s: %d descriptors were passed, at most %d can be used", o->a->text,
			o->a->fds, LISTENER_MOST);
	for (int i = 0; i < o->a->fds; i++)
		if (listener_inherit(o, o->a->fd + i) != 0)
			return -1;
	return 0;
}

int listeners_open(struct listeners *l, const struct run *run, const struct addr *a, int backlog, struct err *e)
{
	struct err own = { 0 }; /* filled on the way to success, too */
	const struct opening o = { .l = l, .run = run, .a = a, .e = &own };
	*l = (struct listeners){ .backlog = sockopt_backlog(run->conf, backlog), .file = EXIT_UNLINK_NONE };
	if (sockopt_fits(run->conf, a->kind, e) != 0)
		return -1;
	if ((a->kind == ADDR_FD ? open_inherited(&o) : addr_local(a) ? open_path(&o) : open_inet(&o)) == 0)
		return 0;
	listeners_close(l);
	if (e != NULL)
		*e = own;
	return -1;
}

int listeners_listen(struct listeners *l, struct err *e)
{
	for (unsigned i = 0; i < l->n; i++) {
		char text[SA_TEXT];
		const struct listener *one = &l->v[i];
		if (!one->dgram && !one->inherited && sys_listen(one->fd, l->backlog) != 0)
			return err_set(e, ERR_LISTEN, errno, "listen %s", sa_text(&one->local, text));
	}
	return 0;
}

/* The file first: a client must not find a file whose socket is closed. */
void listeners_close(struct listeners *l)
{
	exit_unlink_remove(&l->file);
	close_all(l);
}
