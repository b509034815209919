/* Watching for the hang-up of one descriptor (exit_with_fd.h). Nothing is read from it: bytes in a shared pipe belong to others,
 * and poll reports its end all the same. */
#include "net/exit_with_fd.h"

#include "base/sys.h"

#include <limits.h>
#include <sys/stat.h>

enum { FIRST_OTHER = 3 };

static const struct opt rows[] = {
	{ .name = "exit-with-fd",
		.kind = OPT_INT,
		.off = offsetof(struct exit_with_fd_conf, fd),
		.arg = "N",
		.max = INT_MAX,
		.help = "end when the other end of that pipe closes",
		.man = "Ends when the other end of the pipe (or socket pair) that is open as descriptor N is closed, which also "
		       "happens when the process that holds it is killed. Servers of many drain as after a signal; connect and "
		       "listen are cut short (exit status 7)." },
	{ 0 },
};
const struct opt_group exit_with_fd_opts = { .title = "Scripts", .size = sizeof(struct exit_with_fd_conf), .rows = rows };

static int fd_of(const struct exit_with_fd *l)
{
	const struct exit_with_fd_conf *conf = conf_get(l->run->conf, &exit_with_fd_opts);
	return (int)conf->fd;
}

/* A number below 3 may be watched already: a second watch needs a descriptor of its own. */
static int exit_fd_take(int fd, struct err *e)
{
	struct stat st;
	int own = fcntl(fd, F_GETFD);
	if (own < 0 || (own & FD_CLOEXEC) != 0 || fstat(fd, &st) != 0) /* an inherited descriptor has no such flag: it is ours */
		return err_set(e, ERR_USAGE, EBADF, "--exit-with-fd %d", fd);
	if (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))
		return err_set(e, ERR_USAGE, 0, "--exit-with-fd %d: it is neither a pipe nor a socket", fd);
	if (fd < FIRST_OTHER)
		fd = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_OTHER);
	else if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		fd = -1;
	return fd >= 0 ? fd : err_set(e, ERR_LOCAL, errno, "--exit-with-fd");
}

static void on_fd_hung_up(void *arg, unsigned ready)
{
	struct exit_with_fd *l = arg;
	(void)ready;
	loop_watch(l->run->loop, &l->watch, 0);
	l->cut(l->arg);
}

int exit_with_fd_open(struct exit_with_fd *l, const struct run *run, bool stdin_taken, bool stdout_taken, void (*cut)(void *arg),
	void *arg, struct err *e)
{
	*l = (struct exit_with_fd){ .run = run, .watch = { .fd = -1, .fn = on_fd_hung_up, .arg = l }, .cut = cut, .arg = arg };
	if (!CONF_GIVEN(run->conf, exit_with_fd, fd))
		return 0;
	int fd = fd_of(l);
	if ((fd == STDIN_FILENO && stdin_taken) || (fd == STDOUT_FILENO && stdout_taken))
		return err_set(e, ERR_USAGE, 0, "--exit-with-fd %d: %s carries the payload; use another descriptor", fd,
			fd == STDIN_FILENO ? "stdin" : "stdout");
	l->watch.fd = exit_fd_take(fd, e);
	if (l->watch.fd < 0)
		return -1;
	return loop_watch(run->loop, &l->watch, LOOP_HUP) == 0 ? 0 : err_set(e, ERR_LOCAL, errno, "--exit-with-fd %d", fd);
}

void exit_with_fd_close(struct exit_with_fd *l)
{
	if (l->run == NULL || l->watch.fd < 0)
		return;
	loop_watch(l->run->loop, &l->watch, 0);
	sys_close(l->watch.fd);
	l->watch.fd = -1;
}

void exit_with_fd_fail(const struct exit_with_fd *l)
{
	struct err e = { 0 };
	err_set(&e, ERR_LOST, 0, "--exit-with-fd %d: its other end was closed", fd_of(l));
	run_fail(l->run, &e);
}
