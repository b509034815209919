/* The table of calls and the filter made from it (seccomp.h).
 *
 * A row is a call, the needs without which it is refused (0: always allowed), and the rule for its arguments. Calls whose
 * arguments are not checked cost nothing: the kernel runs the filter once for each number and caches the result. Rules use the
 * low half of an argument; the calls here take an int or test a bit of that half. */
#include "sandbox/seccomp.h"

#include "base/opt.h"

#include <errno.h>

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __x86_64__
#define OUR_ARCH AUDIT_ARCH_X86_64
enum { OTHER_ABI = 0x40000000 /* x32: other numbers for the same calls */ };
#else
#define OUR_ARCH AUDIT_ARCH_AARCH64
enum { OTHER_ABI = 0x7fffffff };
#endif

#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000U
#endif
#ifndef F_LINUX_SPECIFIC_BASE
#define F_LINUX_SPECIFIC_BASE 1024
#endif

enum {
	CODE_MOST = 512,
	KNOWN_MOST = 446, /* landlock_restrict_self: the newest call in the table */
	PIPE_SIZE_SET = F_LINUX_SPECIFIC_BASE + 7,
	PIPE_SIZE_GET = F_LINUX_SPECIFIC_BASE + 8,
	EMPTY_PATH = 0x1000, /* AT_EMPTY_PATH */
	FLAG_LOG = 2,
	FLAG_SPEC = 4 /* SECCOMP_FILTER_FLAG_LOG; _SPEC_ALLOW: no mitigation that costs speed */
};

#define TERMINAL_GET2 0x802c542aU /* TCGETS2, used by a newer isatty */

enum rule {
	PLAIN,
	KILL,
	NO_CODE,   /* third argument: memory that may not be run */
	READ_2ND,  /* second argument: opened only for reading, */
	READ_3RD,  /* or third */
	COMMAND,   /* of fcntl */
	QUESTION,  /* of ioctl */
	OURSELVES, /* first argument: our own pid */
	FROM_HELD, /* first argument: a held folder, */
	STAT_HELD, /* or an open file and no name */
};

struct row {
	short nr;
	unsigned short needs; /* any of these; 0: none */
	uint8_t rule;
};

#define ROW(name, needs, rule)                                                                                                   \
	{                                                                                                                        \
		SYS_##name, needs, rule                                                                                          \
	}
#define ALWAYS(name)                                                                                                             \
	{                                                                                                                        \
		SYS_##name, 0, PLAIN                                                                                             \
	}

static const struct row rows[] = {
	ROW(mmap, 0, NO_CODE),
	ROW(mprotect, 0, NO_CODE),
	ROW(fcntl, 0, COMMAND),
	ROW(ioctl, 0, QUESTION),
	ROW(newfstatat, NEEDS_READ, PLAIN), /* before opening, as OpenSSL does with folders of authorities */
	ROW(newfstatat, 0, STAT_HELD),
	ROW(openat, NEEDS_WRITE, PLAIN),
	ROW(openat, NEEDS_READ | NEEDS_LISTS, READ_3RD),
	ROW(unlinkat, NEEDS_UNLINK, FROM_HELD),
	ROW(tgkill, 0, OURSELVES),
	ROW(tkill, 0, OURSELVES),
	ROW(kill, NEEDS_CHILD, PLAIN),
	ROW(kill, 0, OURSELVES),
	ROW(wait4, NEEDS_CHILD, PLAIN),
	ROW(socket, NEEDS_DIAL, PLAIN),
	ROW(bind, NEEDS_DIAL, PLAIN),
	ROW(connect, NEEDS_DIAL | NEEDS_PEER, PLAIN),
	ROW(accept, NEEDS_ACCEPT, PLAIN),
	ROW(accept4, NEEDS_ACCEPT, PLAIN),
	ROW(listen, NEEDS_LISTEN, PLAIN),
	/* bytes */
	ALWAYS(read),
	ALWAYS(write),
	ALWAYS(readv),
	ALWAYS(writev),
	ALWAYS(pread64),
	ALWAYS(pwrite64),
	ALWAYS(recvfrom),
	ALWAYS(recvmsg),
	ALWAYS(recvmmsg),
	ALWAYS(sendto),
	ALWAYS(sendmsg),
	ALWAYS(sendmmsg),
	ALWAYS(splice),
	ALWAYS(sendfile),
	ALWAYS(pipe2),
	/* open descriptors */
	ALWAYS(close),
	ALWAYS(dup),
	ALWAYS(dup3),
	ALWAYS(lseek),
	ALWAYS(fstat),
	ALWAYS(ftruncate),
	ALWAYS(shutdown),
	ALWAYS(getsockname),
	ALWAYS(getpeername),
	ALWAYS(getsockopt),
	ALWAYS(setsockopt),
	/* waiting, time, signals */
	ALWAYS(pselect6),
	ALWAYS(ppoll),
	ALWAYS(epoll_ctl),
	ALWAYS(epoll_pwait),
	ALWAYS(clock_gettime),
	ALWAYS(gettimeofday),
	ALWAYS(restart_syscall),
	ALWAYS(rt_sigaction),
	ALWAYS(rt_sigprocmask),
	ALWAYS(rt_sigreturn),
	ALWAYS(sigaltstack),
	/* memory, one thread, randomness */
	ALWAYS(brk),
	ALWAYS(munmap),
	ALWAYS(mremap),
	ALWAYS(madvise),
	ALWAYS(futex),
	ALWAYS(sched_yield),
	ALWAYS(getrandom),
	/* identity, and the end */
	ALWAYS(getpid),
	ALWAYS(getppid),
	ALWAYS(gettid),
	ALWAYS(getpgid),
	ALWAYS(getuid),
	ALWAYS(geteuid),
	ALWAYS(getgid),
	ALWAYS(getegid),
	ALWAYS(exit),
	ALWAYS(exit_group),
#ifdef __x86_64__ /* older calls, which newer architectures never had */
	ROW(open, NEEDS_WRITE, PLAIN),
	ROW(open, NEEDS_READ, READ_2ND),
	ROW(stat, NEEDS_READ, PLAIN),
	ROW(lstat, NEEDS_READ, PLAIN),
	ALWAYS(select),
	ALWAYS(poll),
	ALWAYS(epoll_wait),
	ALWAYS(dup2),
	ALWAYS(pipe),
	ALWAYS(getpgrp),
	ALWAYS(time),
#endif
	/* an attacker's */
	ROW(execve, 0, KILL),
	ROW(execveat, 0, KILL),
	ROW(ptrace, 0, KILL),
	ROW(process_vm_readv, 0, KILL),
	ROW(process_vm_writev, 0, KILL),
	ROW(chroot, 0, KILL),
	ROW(pivot_root, 0, KILL),
	ROW(mount, 0, KILL),
	ROW(umount2, 0, KILL),
	ROW(unshare, 0, KILL),
	ROW(setns, 0, KILL),
	ROW(bpf, 0, KILL),
	ROW(perf_event_open, 0, KILL),
	ROW(keyctl, 0, KILL),
	ROW(add_key, 0, KILL),
	ROW(request_key, 0, KILL),
	ROW(init_module, 0, KILL),
	ROW(finit_module, 0, KILL),
	ROW(kexec_load, 0, KILL),
#ifdef SYS_userfaultfd
	ROW(userfaultfd, 0, KILL),
#endif
#ifdef SYS_io_uring_setup
	ROW(io_uring_setup, 0, KILL),
#endif
};

enum { ROWS = sizeof rows / sizeof rows[0] };
_Static_assert(ROWS < 250, "a jump is a byte long");

struct program {
	struct sock_filter code[CODE_MOST];
	unsigned short n;
	const int *held;
	unsigned held_n;
};

static void seccomp_put(struct program *p, unsigned code, unsigned k, unsigned yes, unsigned no)
{
	if (p->n < CODE_MOST)
		p->code[p->n] = (struct sock_filter){ (uint16_t)code, (uint8_t)yes, (uint8_t)no, k };
	p->n++;
}

static void seccomp_load(struct program *p, size_t at)
{
	seccomp_put(p, BPF_LD | BPF_W | BPF_ABS, (unsigned)at, 0, 0);
}

static void load_argument(struct program *p, unsigned i)
{
	seccomp_load(p, offsetof(struct seccomp_data, args) + i * sizeof(uint64_t)); /* little-endian: the low half is first */
}

static void seccomp_end(struct program *p, unsigned verdict)
{
	seccomp_put(p, BPF_RET | BPF_K, verdict, 0, 0);
}

static const unsigned refuse = SECCOMP_RET_ERRNO | EPERM;

/* The next instruction runs if they compare equal (or, with JSET, share a bit with k); else the one after it. */
static void only_if(struct program *p, unsigned how, unsigned k)
{
	seccomp_put(p, BPF_JMP | how | BPF_K, k, 0, 1);
}

static void allow_if(struct program *p, unsigned how, unsigned k)
{
	only_if(p, how, k);
	seccomp_end(p, SECCOMP_RET_ALLOW);
}

static void refuse_if_any(struct program *p, unsigned argument, unsigned bits)
{
	load_argument(p, argument);
	only_if(p, BPF_JSET, bits);
	seccomp_end(p, refuse);
	seccomp_end(p, SECCOMP_RET_ALLOW);
}

static void allow_held(struct program *p)
{
	load_argument(p, 0);
	for (unsigned i = 0; i < p->held_n; i++)
		allow_if(p, BPF_JEQ, (unsigned)p->held[i]);
}

static void allow_listed(struct program *p, const unsigned *all, size_t n)
{
	load_argument(p, 1);
	for (size_t i = 0; i < n; i++)
		allow_if(p, BPF_JEQ, all[i]);
}

/* Ends with a result in every case. */
static void put_rule(struct program *p, enum rule rule)
{
	static const unsigned commands[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, PIPE_SIZE_GET,
		PIPE_SIZE_SET };
	/* TIOCSTI, which types into the terminal's shell, is not among them. */
	static const unsigned questions[] = { FIONREAD, TIOCOUTQ, TCGETS, TERMINAL_GET2, TIOCGWINSZ, TIOCGPGRP, SIOCGIFNAME };
	switch (rule) {
	case PLAIN:
		seccomp_end(p, SECCOMP_RET_ALLOW);
		return;
	case KILL:
		seccomp_end(p, SECCOMP_RET_KILL_PROCESS);
		return;
	case NO_CODE:
		refuse_if_any(p, 2, PROT_EXEC);
		return;
	case READ_2ND:
		refuse_if_any(p, 1, O_ACCMODE | O_CREAT | O_TRUNC);
		return;
	case READ_3RD:
		refuse_if_any(p, 2, O_ACCMODE | O_CREAT | O_TRUNC);
		return;
	case COMMAND:
		allow_listed(p, commands, sizeof commands / sizeof commands[0]);
		break;
	case QUESTION:
		allow_listed(p, questions, sizeof questions / sizeof questions[0]);
		break;
	case OURSELVES:
		load_argument(p, 0);
		allow_if(p, BPF_JEQ, (unsigned)getpid());
		break;
	case FROM_HELD:
		allow_held(p);
		break;
	case STAT_HELD:
		allow_held(p);
		load_argument(p, 3);
		allow_if(p, BPF_JSET, EMPTY_PATH);
		break;
	}
	seccomp_end(p, refuse);
}

static void put_row(struct program *p, const struct row *row)
{
	unsigned short at = p->n;
	seccomp_put(p, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)row->nr, 0, 0);
	put_rule(p, (enum rule)row->rule);
	if (at < CODE_MOST)
		p->code[at].jf = (uint8_t)(p->n - at - 1);
}

static bool is_plain(const struct row *row, unsigned needs)
{
	return row->rule == PLAIN && (row->needs == 0 || (row->needs & needs) != 0);
}

/* One comparison each, and a shared result. */
static void put_plain_rows(struct program *p, unsigned needs)
{
	unsigned left = 0;
	for (size_t i = 0; i < ROWS; i++)
		left += is_plain(&rows[i], needs);
	for (size_t i = 0; i < ROWS; i++)
		if (is_plain(&rows[i], needs))
			seccomp_put(p, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)rows[i].nr, left--, 0);
	seccomp_put(p, BPF_JMP | BPF_JA, 1, 0, 0);
	seccomp_end(p, SECCOMP_RET_ALLOW);
}

static void put_all(struct program *p, unsigned needs)
{
	seccomp_load(p, offsetof(struct seccomp_data, arch));
	seccomp_put(p, BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0);
	seccomp_end(p, SECCOMP_RET_KILL_PROCESS);
	seccomp_load(p, offsetof(struct seccomp_data, nr));
	seccomp_put(p, BPF_JMP | BPF_JGE | BPF_K, OTHER_ABI, 0, 1);
	seccomp_end(p, SECCOMP_RET_KILL_PROCESS);
	put_plain_rows(p, needs);
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].rule != PLAIN && (rows[i].needs == 0 || (rows[i].needs & needs) != 0))
			put_row(p, &rows[i]);
	seccomp_put(p, BPF_JMP | BPF_JGT | BPF_K, KNOWN_MOST, 0, 1);
	seccomp_end(p, SECCOMP_RET_ERRNO | ENOSYS);
	seccomp_end(p, refuse);
}

bool seccomp_have(void)
{
	const unsigned action = SECCOMP_RET_ERRNO;
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int seccomp_apply(unsigned needs, const int *held, unsigned held_n)
{
	static const unsigned flags[] = { FLAG_LOG | FLAG_SPEC, FLAG_LOG, 0 }; /* older kernels know fewer */
	struct program p = { .held = held, .held_n = held_n };
	put_all(&p, needs);
	if (p.n > CODE_MOST)
		return E2BIG;
	const struct sock_fprog whole = { .len = p.n, .filter = p.code };
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags[i], &whole) == 0)
			return 0;
		else if (errno != EINVAL)
			break;
	return errno;
}

#else

bool seccomp_have(void)
{
	return false;
}

int seccomp_apply(unsigned needs, const int *held, unsigned held_n)
{
	(void)needs, (void)held, (void)held_n;
	return ENOSYS;
}

#endif
