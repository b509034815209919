/* Nonblocking standard descriptors, without touching flags that a shell and its other children share.
 *
 * O_NONBLOCK belongs to the open file description. So N is opened again through /proc/self/fd/N, which makes a description of our
 * own, and that one takes N's place: the shared one is closed, because otherwise the reader of our stdout would never see its
 * end. Where opening again is refused (another user's terminal), the flag is set on the shared description after all, and
 * restored at exit, before we die of a signal, and while we are stopped. Only SIGKILL leaves it set. */
#include "stream/stdfd.h"
#include "base/sys.h"
#include "stream/fdstream.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

enum { PIPE_BYTES = 1024 * 1024 };

static struct {
	bool ready;
	bool own;      /* opened again: the description is ours alone */
	bool borrowed; /* O_NONBLOCK set on a shared description */
	int flags;     /* as they were */
} of[3];

void stdfd_guard(void)
{
	static const int mode[3] = { O_RDONLY, O_RDONLY, O_WRONLY };
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", mode[fd]) != fd)
			return; /* no /dev/null, as in a bare chroot: the first use reports EBADF */
}

static int null_fd = -1;

void stdfd_keep_null(void)
{
	if (null_fd < 0)
		null_fd = sys_open("/dev/null", O_RDONLY, 0);
}

void stdfd_free_null(void)
{
	sys_close(null_fd);
	null_fd = -1;
}

void stdfd_fill(int fd)
{
	if (null_fd >= 0)
		fcntl(null_fd, F_DUPFD_CLOEXEC, fd);
	else
		sys_open("/dev/null", O_RDONLY, 0);
}

void stdfd_restore(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (of[fd].borrowed || of[fd].own)
			fcntl(fd, F_SETFL, of[fd].flags);
}

static void stdfd_again(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (of[fd].borrowed || of[fd].own)
			fcntl(fd, F_SETFL, of[fd].flags | O_NONBLOCK);
}

/* Neither a stop nor a fatal signal may leave the shell with a nonblocking terminal. Only async-signal-safe functions are
 * called. */
static void stdfd_signal(int signo)
{
	int keep = errno;
	if (signo == SIGCONT) {
		stdfd_again();
		errno = keep;
		return;
	}
	stdfd_restore();
	struct sigaction before, def = { .sa_handler = SIG_DFL };
	sigaction(signo, &def, &before);
	raise(signo);
	sigset_t one;
	sigemptyset(&one);
	sigaddset(&one, signo);
	sigprocmask(SIG_UNBLOCK, &one, NULL); /* the signal takes effect here */
	sigaction(signo, &before, NULL);
	stdfd_again();
	errno = keep;
}

static int stdfd_borrow(int fd, int flags, struct err *e)
{
	static const int watched[] = { SIGTSTP, SIGCONT, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return err_set(e, ERR_LOCAL, errno, "make descriptor %d nonblocking", fd);
	of[fd].borrowed = true;
	for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++) {
		struct sigaction now;
		struct sigaction act = { .sa_handler = stdfd_signal };
		sigemptyset(&act.sa_mask);
		if (sigaction(watched[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
			sigaction(watched[i], &act, NULL);
	}
	return 0;
}

/* The same file, opened again, so that its flags are our own; it never waits for the other end of a pipe. */
static int stdfd_own(int fd, int flags)
{
	char path[32];
#ifdef __linux__
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
#else
	snprintf(path, sizeof path, "/dev/fd/%d", fd); /* on BSDs only a dup, which stdfd_reopen detects */
#endif
	return sys_open(path, (flags & (O_ACCMODE | O_APPEND)) | O_NONBLOCK, 0);
}

static int stdfd_reopen(int fd, int flags)
{
	int own = stdfd_own(fd, flags);
	if (own < 0)
		return -1;
	int shared = fcntl(fd, F_GETFL); /* a dup would have changed the old one, too */
	if (shared < 0 || (shared & O_NONBLOCK) || dup2(own, fd) < 0) {
		sys_close(own);
		return -1;
	}
	sys_close(own);
	of[fd].own = true;
	return 0;
}

int stdfd_lend(int fd)
{
	int flags = of[fd].own ? fcntl(fd, F_GETFL) : -1;
	int lent = flags < 0 ? -1 : stdfd_own(fd, flags);
	if (lent >= 0 && fcntl(lent, F_SETFL, flags & ~O_NONBLOCK) == 0)
		return lent;
	sys_close(lent);
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

int stdfd_ready(int fd, struct err *e)
{
	if (of[fd].ready)
		return 0;
	struct stat st;
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fstat(fd, &st) != 0)
		return err_set(e, ERR_LOCAL, errno, "use descriptor %d", fd);
	bool blocks = S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode);
	of[fd].flags = flags;
	if (blocks && !(flags & O_NONBLOCK) && stdfd_reopen(fd, flags) != 0 && stdfd_borrow(fd, flags, e) != 0)
		return -1;
	if (S_ISFIFO(st.st_mode))
		sys_pipe_grow(fd, PIPE_BYTES);
	of[fd].ready = true;
	return 0;
}

struct stream *stdfd_stream(bool reads, bool writes, struct err *e)
{
	static const struct stream_words words = { 0, "read stdin", "write stdout", "close stdout" };
	if ((reads && stdfd_ready(0, e) != 0) || (writes && stdfd_ready(1, e) != 0))
		return NULL;
	struct stream *s = stream_pair(reads ? 0 : -1, writes ? 1 : -1, &words);
	if (s == NULL)
		err_set(e, ERR_LOCAL, ENOMEM, "use stdin and stdout");
	return s;
}

bool stdfd_mute(void)
{
	struct stat in, null;
	if (fstat(0, &in) != 0)
		return false;
	bool nowhere =
		S_ISCHR(in.st_mode) && stat("/dev/null", &null) == 0 && S_ISCHR(null.st_mode) && in.st_rdev == null.st_rdev;
	return nowhere || S_ISREG(in.st_mode);
}
