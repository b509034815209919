/* The gate of the seam build (base/sys.h). It reads SOCKCTL_SEAM once (sys_seam_open), a list of faults separated by commas:
 *
 *   short[=N]       reads, writes and splices of streams move at most N bytes (1)
 *   eintr           half of all reads, writes, splices and waits fail with EINTR
 *   again           half of all reads, writes and splices of a socket or pipe fail with EAGAIN
 *   CALL:K:ERRNO    the K-th call of that kind fails: accept:1:EMFILE; K+ means that one and all after it
 *   report=FILE     at its end the run writes there how many calls of each kind it made (one "CALL N" a line), and how many
 *                   descriptors it has left open that it opened itself ("left N"); FILE is made at the start
 *
 * Which half is drawn from a generator with a fixed seed: the same in every run, and not in step with a loop that makes two calls
 * of a kind by turns, one of which would otherwise always fail. A second try gets through. */
#include "base/num.h"
#include "base/sys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DESCRIPTORS_MOST = 1024 };

int (*sys_gate)(enum sys_call call, int fd, size_t *most_bytes);

bool sys_allowed_most(enum sys_call call, int fd, size_t *n)
{
	int failed = sys_gate == NULL ? 0 : sys_gate(call, fd, n);
	if (failed != 0)
		errno = failed;
	return failed == 0;
}

bool sys_allowed_on(enum sys_call call, int fd)
{
	size_t unused = SIZE_MAX;
	return sys_allowed_most(call, fd, &unused);
}

bool sys_allowed(enum sys_call call)
{
	return sys_allowed_on(call, -1);
}

bool sys_shortened(enum sys_call call, int fd, const struct iovec **v, int *n, struct sys_room *room)
{
	size_t most = SIZE_MAX;
	int used = 0;
	if (!sys_allowed_most(call, fd, &most))
		return false;
	room->v[0] = (struct iovec){ 0 };
	for (int i = 0; i < *n && used < 2 && most > 0; i++) {
		if ((*v)[i].iov_len == 0) /* two of these would look like the end of the data */
			continue;
		room->v[used] = (*v)[i];
		if (room->v[used].iov_len > most)
			room->v[used].iov_len = most;
		most -= room->v[used++].iov_len;
	}
	*v = room->v;
	*n = used == 0 ? 1 : used;
	return true;
}

struct msghdr *sys_shortened_msg(enum sys_call call, int fd, struct msghdr *m, bool whole, struct sys_room *room)
{
	const struct iovec *v = m->msg_iov;
	int n = (int)m->msg_iovlen;
	if (whole ? !sys_allowed_on(call, fd) : !sys_shortened(call, fd, &v, &n, room))
		return NULL;
	if (whole)
		return m;
	room->m = *m;
	room->m.msg_iov = room->v;
	room->m.msg_iovlen = (size_t)n;
	return &room->m;
}

struct fault {
	enum sys_call call;
	int64_t at;
	bool from_then_on;
	int error;
};

enum { FAULTS_MOST = 16 };
static struct {
	size_t most_bytes;
	bool eintr, again;
	int faults;
	struct fault fault[FAULTS_MOST];
	int64_t calls[SYS_CALLS];
	uint32_t draw;
	FILE *report; /* NULL: none. Open from the start: at the end a sandbox may be shut */
	pid_t pid;    /* children are other runs */
	bool open_before[DESCRIPTORS_MOST];
} seam;

static const char *const call_names[SYS_CALLS] = { "memory", "crypto", "socket", "bind", "listen", "accept", "connect",
	"shutdown", "setsockopt", "read", "write", "splice", "wait", "pipe", "fork", "open", "wake" };

#define ERROR(name)                                                                                                              \
	{                                                                                                                        \
#name, name                                                                                                      \
	}
static const struct {
	const char *name;
	int error;
} errors[] = { ERROR(EACCES), ERROR(EADDRINUSE), ERROR(EADDRNOTAVAIL), ERROR(EAFNOSUPPORT), ERROR(EAGAIN), ERROR(EBADF),
	ERROR(ECONNABORTED), ERROR(ECONNREFUSED), ERROR(ECONNRESET), ERROR(EDQUOT), ERROR(EFBIG), ERROR(EHOSTUNREACH),
	ERROR(EINTR), ERROR(EINVAL), ERROR(EIO), ERROR(EMFILE), ERROR(EMSGSIZE), ERROR(ENETUNREACH), ERROR(ENFILE),
	ERROR(ENOBUFS), ERROR(ENOMEM), ERROR(ENOPROTOOPT), ERROR(ENOSPC), ERROR(ENOTCONN), ERROR(EPERM), ERROR(EPIPE),
	ERROR(EPROTO), ERROR(ETIMEDOUT) };
#undef ERROR

static bool sys_moves(enum sys_call call)
{
	return call == SYS_READ || call == SYS_WRITE || call == SYS_SPLICE;
}

static bool may_block(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && (S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode));
}

static uint32_t sys_draw(void)
{
	seam.draw = seam.draw * 1664525 + 1013904223;
	return seam.draw >> 16; /* the low bits of such a generator go round in a small circle */
}

static int seam_gate(enum sys_call call, int fd, size_t *most_bytes)
{
	int64_t k = ++seam.calls[call];
	for (const struct fault *f = seam.fault; f < seam.fault + seam.faults; f++)
		if (f->call == call && (f->at == k || (f->from_then_on && k > f->at)))
			return f->error;
	bool again = seam.again && sys_moves(call) && may_block(fd);
	bool eintr = seam.eintr && (sys_moves(call) || call == SYS_WAIT);
	uint32_t drawn = again || eintr ? sys_draw() : 0;
	if ((drawn & 1) != 0)
		return again && (!eintr || (drawn & 2) != 0) ? EAGAIN : EINTR;
	if (sys_moves(call) && seam.most_bytes > 0 && *most_bytes > seam.most_bytes)
		*most_bytes = seam.most_bytes;
	return 0;
}

/* "CALL:K:ERRNO" or "CALL:K+:ERRNO". */
static int fault_read(char *word, struct err *e)
{
	struct fault f = { .call = SYS_CALLS };
	char *k = strchr(word, ':'), *error = k == NULL ? NULL : strchr(k + 1, ':');
	if (error == NULL || seam.faults == FAULTS_MOST)
		return err_set(e, ERR_USAGE, 0, "got \"%s\", expected short[=N], eintr, again or CALL:K:ERRNO", word);
	*k++ = *error++ = '\0';
	for (int i = 0; i < SYS_CALLS; i++)
		if (strcmp(call_names[i], word) == 0)
			f.call = (enum sys_call)i;
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
		if (strcmp(errors[i].name, error) == 0)
			f.error = errors[i].error;
	size_t len = strlen(k);
	f.from_then_on = len > 0 && k[len - 1] == '+';
	if (f.from_then_on)
		k[len - 1] = '\0';
	if (f.call == SYS_CALLS || f.error == 0)
		return err_set(e, ERR_USAGE, 0, "no call \"%s\", or no error \"%s\"", word, error);
	seam.fault[seam.faults++] = f;
	return num_int(k, 1, INT64_MAX, &seam.fault[seam.faults - 1].at, e);
}

static int report_open(const char *path, struct err *e)
{
	seam.report = fopen(path, "we");
	return seam.report != NULL ? 0 : err_set(e, ERR_USAGE, errno, "report %s", path);
}

static int word_read(char *word, struct err *e)
{
	int64_t n = 1;
	if (strncmp(word, "short=", 6) == 0 && num_int(word + 6, 1, INT32_MAX, &n, e) != 0)
		return -1;
	if (strncmp(word, "report=", 7) == 0)
		return report_open(word + 7, e);
	if (strncmp(word, "short", 5) == 0 && (word[5] == '\0' || word[5] == '='))
		seam.most_bytes = (size_t)n;
	else if (strcmp(word, "eintr") == 0)
		seam.eintr = true;
	else if (strcmp(word, "again") == 0)
		seam.again = true;
	else
		return fault_read(word, e);
	return 0;
}

int sys_seam_open(struct err *e)
{
	const char *spec = getenv("SOCKCTL_SEAM");
	char copy[512], *rest = copy;
	memset(&seam, 0, sizeof seam);
	sys_gate = NULL;
	if (spec == NULL || *spec == '\0')
		return 0;
	snprintf(copy, sizeof copy, "%s", spec);
	for (char *word; (word = strsep(&rest, ",")) != NULL;)
		if (word_read(word, e) != 0)
			return err_prefix(e, "SOCKCTL_SEAM");
	for (int fd = 0; fd < DESCRIPTORS_MOST; fd++)
		seam.open_before[fd] = fcntl(fd, F_GETFD) >= 0;
	seam.pid = getpid();
	sys_gate = seam_gate;
	return 0;
}

void sys_seam_close(void)
{
	int left = 0;
	if (sys_gate == NULL || seam.report == NULL || seam.pid != getpid())
		return;
	for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS_MOST; fd++)
		left += !seam.open_before[fd] && fcntl(fd, F_GETFD) >= 0;
	for (int i = 0; i < SYS_CALLS; i++)
		fprintf(seam.report, "%s %lld\n", call_names[i], (long long)seam.calls[i]);
	fprintf(seam.report, "left %d\n", left);
	fclose(seam.report);
	seam.report = NULL;
}
