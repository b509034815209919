/* What an intruder would try, for tests of the sandbox: once a run is sealed, the seam build makes the attempt that
 * SOCKCTL_ESCAPE names ("open", "socket", "exec", ...), as directly as the system allows, with no library between, and says what
 * came of it. Or it does not return. */
#include "base/event.h"
#include "base/sys.h"
#include "net/run.h"
#include "sandbox/sandbox_opts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

static long open_here(const char *path, int flags)
{
	return syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

static long try_open(void)
{
	return open_here("/etc/passwd", O_RDONLY);
}

static long try_create(void)
{
	return open_here("escaped", O_WRONLY | O_CREAT);
}

static long try_unlink(void)
{
	return syscall(SYS_unlinkat, AT_FDCWD, "precious", 0);
}

static long try_socket(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long try_socketpair(void)
{
	int fd[2];
	return syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, fd);
}

static long try_exec(void)
{
	static char *const argv[] = { "true", NULL };
	return syscall(SYS_execve, "/bin/true", argv, NULL);
}

static long try_fork(void)
{
	long pid = syscall(SYS_clone, 17 /* SIGCHLD */, 0, 0, 0, 0);
	if (pid == 0)
		syscall(SYS_exit_group, 0);
	if (pid > 0)
		syscall(SYS_wait4, pid, NULL, 0, NULL);
	return pid;
}

static long try_ptrace(void)
{
	return syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
}

static long try_memory(void)
{
	char byte;
	struct iovec own = { &byte, 1 };
	return syscall(SYS_process_vm_readv, getppid(), &own, 1, &own, 1, 0);
}

static long try_mprotect(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return at == MAP_FAILED ? 0 : mprotect(at, 4096, PROT_READ | PROT_EXEC);
}

static long try_mmap(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long try_kill(void)
{
	return syscall(SYS_kill, getppid(), 0);
}

static long try_type(void)
{
	return syscall(SYS_ioctl, 0, TIOCSTI, "x");
}

static long try_owner(void)
{
	return syscall(SYS_fcntl, 0, F_SETOWN, getppid());
}

static long try_chroot(void)
{
	return syscall(SYS_chroot, "/");
}

static long try_newest(void)
{
	return syscall(460);
}

static const struct {
	const char *name;
	long (*fn)(void);
} attempts[] = { { "open", try_open }, { "create", try_create }, { "unlink", try_unlink }, { "socket", try_socket },
	{ "socketpair", try_socketpair }, { "exec", try_exec }, { "fork", try_fork }, { "ptrace", try_ptrace },
	{ "memory", try_memory }, { "mprotect", try_mprotect }, { "mmap", try_mmap }, { "kill", try_kill }, { "type", try_type },
	{ "owner", try_owner }, { "chroot", try_chroot }, { "newest", try_newest } };

int __real_sandbox_run_seal(const struct run *run, struct err *e);
int __wrap_sandbox_run_seal(const struct run *run, struct err *e);

/* Only the first seal of a run does something. */
int __wrap_sandbox_run_seal(const struct run *run, struct err *e)
{
	bool seals = run->sandbox != NULL && !run->sandbox->sealed;
	int rc = __real_sandbox_run_seal(run, e);
	const char *name = getenv("SOCKCTL_ESCAPE"), *found = "unknown";
	char words[128];
	if (rc != 0 || !seals || name == NULL)
		return rc;
	for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
		if (strcmp(attempts[i].name, name) == 0)
			found = attempts[i].fn() < 0 ? strerror(errno) : "done";
	snprintf(words, sizeof words, "escape by %s: %s", name, found);
	event(run->events, EV_NOTE, 0, EV_TEXT("text", words));
	return 0;
}
