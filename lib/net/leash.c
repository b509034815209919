/* Watching for the hang-up of one descriptor (leash.h). Nothing is ever read from it: bytes in a pipe that others share are
 * theirs, and poll tells of its end all the same. */
#include "net/leash.h"

#include "base/sys.h"

#include <limits.h>
#include <sys/stat.h>

enum { FIRST_OTHER = 3 };

static const struct opt rows[] = {
	{ .name = "exit-with-fd",
		.kind = OPT_INT,
		.off = offsetof(struct leash_conf, fd),
		.arg = "N",
		.max = INT_MAX,
		.help = "end when the other end of that pipe closes",
		.man = "Ends when the other end of the pipe (or socket pair) that is open as descriptor N is closed, which also "
		       "happens when the process that holds it is killed. Servers of many drain as after a signal; connect and "
		       "listen are cut short (exit status 7)." },
	{ 0 },
};
const struct opt_group leash_opts = { .title = "Scripts", .size = sizeof(struct leash_conf), .rows = rows };

static int fd_of(const struct leash *l)
{
	const struct leash_conf *conf = conf_get(l->env->conf, &leash_opts);
	return (int)conf->fd;
}

/* A number below 3 is another's: a watch of our own wants a descriptor of our own. */
static int take(int fd, struct err *e)
{
	struct stat st;
	int own = fcntl(fd, F_GETFD);
	if (own < 0 || (own & FD_CLOEXEC) != 0 || fstat(fd, &st) != 0) /* what came through exec has no such flag: it is ours */
		return err_set(e, ERR_USAGE, EBADF, "--exit-with-fd %d", fd);
	if (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))
		return err_set(e, ERR_USAGE, 0, "--exit-with-fd %d: it is neither a pipe nor a socket", fd);
	if (fd < FIRST_OTHER)
		fd = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_OTHER);
	else if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		fd = -1;
	return fd >= 0 ? fd : err_set(e, ERR_LOCAL, errno, "--exit-with-fd");
}

static void hung_up(void *arg, unsigned ready)
{
	struct leash *l = arg;
	(void)ready;
	loop_watch(l->env->loop, &l->watch, 0);
	l->cut(l->arg);
}

int leash_open(struct leash *l, const struct env *env, bool stdin_taken, bool stdout_taken, void (*cut)(void *arg), void *arg,
	struct err *e)
{
	*l = (struct leash){ .env = env, .watch = { .fd = -1, .fn = hung_up, .arg = l }, .cut = cut, .arg = arg };
	if (!conf_given(env->conf, &leash_opts, "exit-with-fd"))
		return 0;
	int fd = fd_of(l);
	if ((fd == STDIN_FILENO && stdin_taken) || (fd == STDOUT_FILENO && stdout_taken))
		return err_set(e, ERR_USAGE, 0, "--exit-with-fd %d: %s carries the payload; use another descriptor", fd,
			fd == STDIN_FILENO ? "stdin" : "stdout");
	l->watch.fd = take(fd, e);
	if (l->watch.fd < 0)
		return -1;
	return loop_watch(env->loop, &l->watch, LOOP_HUP) == 0 ? 0 : err_set(e, ERR_LOCAL, errno, "--exit-with-fd %d", fd);
}

void leash_close(struct leash *l)
{
	if (l->env == NULL || l->watch.fd < 0)
		return;
	loop_watch(l->env->loop, &l->watch, 0);
	sys_close(l->watch.fd);
	l->watch.fd = -1;
}

void leash_fail(const struct leash *l)
{
	struct err e = { 0 };
	err_set(&e, ERR_LOST, 0, "--exit-with-fd %d: its other end was closed", fd_of(l));
	env_fail(l->env, &e);
}
