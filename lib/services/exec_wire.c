/* The standard input and output of a program of --exec: two pipes, or with --pty a terminal, which is its standard error, too. */
#include "services/exec_internal.h"

#include "base/sys.h"
#include "services/pty.h"
#include "stream/stdfd.h"

#include <errno.h>
#include <unistd.h>

/* Ours are nonblocking, the child's are not. */
static int make_pipes(int in[2], int out[2])
{
	if (sys_pipe(in) != 0)
		return -1;
	if (sys_pipe(out) != 0) {
		sys_close(in[0]);
		sys_close(in[1]);
		return -1;
	}
	fcntl(in[0], F_SETFL, 0);
	fcntl(out[1], F_SETFL, O_WRONLY);
	return 0;
}

static struct stream *open_pipes(int fd[3], struct err *e)
{
	static const struct stream_words words = { OF_PEER, "read the program's output for", "write to the program for",
		"close the pipe to" };
	int in[2], out[2];
	if (make_pipes(in, out) != 0) {
		err_set(e, ERR_LOCAL, errno, "start a program");
		return NULL;
	}
	fd[0] = in[0];
	fd[1] = out[1];
	fd[2] = stdfd_lend(STDERR_FILENO);
	struct stream *near = stream_pair(out[0], in[1], &words);
	if (near != NULL)
		return near;
	for (int i = 0; i < 3; i++)
		sys_close(fd[i]);
	err_set(e, ERR_LOCAL, ENOMEM, "start a program");
	return NULL;
}

struct stream *exec_wire(const struct exec_conf *conf, int fd[3], struct err *e)
{
	if (!conf->pty)
		return open_pipes(fd, e);
	struct stream *near = pty_open(&fd[0], e);
	if (near == NULL)
		return NULL;
	fd[1] = fcntl(fd[0], F_DUPFD_CLOEXEC, 3);
	fd[2] = fcntl(fd[0], F_DUPFD_CLOEXEC, 3);
	if (fd[1] >= 0 && fd[2] >= 0)
		return near;
	err_set(e, ERR_LOCAL, errno, "open a terminal for the program");
	for (int i = 0; i < 3; i++)
		sys_close(fd[i]);
	stream_close(near, CLOSE_PLAIN);
	return NULL;
}
