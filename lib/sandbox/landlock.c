/* Landlock without a library, and without a header that knows all of it: numbers and flags are the kernel's ABI (landlock(7)).
 *
 * Each version can restrict more, and a right unknown to the kernel must not be requested. Open descriptors keep their rights. */
#include "sandbox/landlock.h"

#include "base/opt.h"

#include <errno.h>

#ifdef __linux__

#include "base/sys.h"

#include <stdint.h>
#include <sys/syscall.h>

enum { CREATE = 444, ADD_RULE, RESTRICT_SELF }; /* the same on every architecture */
enum { ASK_VERSION = 1, BENEATH = 1 };

enum {
	WRITE_FILE = 1 << 1,
	READ_FILE = 1 << 2,
	READ_DIR = 1 << 3,
	REMOVE_FILE = 1 << 5,
	MAKE_REG = 1 << 8,
	FS_1 = (1 << 13) - 1, /* all of version 1 */
	REFER = 1 << 13,      /* 2 */
	TRUNCATE = 1 << 14,   /* 3 */
	IOCTL_DEV = 1 << 15,  /* 5 */
	TCP_ALL = 3,	      /* 4: bind, connect */
	ABSTRACT = 1,	      /* 6 */
	SIGNAL = 2	      /* 6 */
};

struct ruleset {
	uint64_t fs, net, scoped;
};

struct beneath {
	uint64_t allowed;
	int32_t folder;
} __attribute__((packed));

int landlock_abi(void)
{
	long abi = syscall(CREATE, NULL, (size_t)0, ASK_VERSION);
	return abi > 0 ? (int)abi : 0;
}

static struct ruleset landlock_handled(int abi, unsigned needs)
{
	struct ruleset r = { .fs = FS_1 };
	r.fs |= (abi >= 2 ? REFER : 0u) | (abi >= 3 ? TRUNCATE : 0u) | (abi >= 5 ? IOCTL_DEV : 0u);
	if (abi >= 4 && !(needs & NEEDS_DIAL))
		r.net = TCP_ALL;
	if (abi >= 6)
		r.scoped = (needs & (NEEDS_DIAL | NEEDS_ANSWER) ? 0u : ABSTRACT) | (needs & NEEDS_CHILD ? 0u : SIGNAL);
	return r;
}

static int landlock_leave(int ruleset, const struct ruleset *r, const struct landlock_place *place)
{
	struct beneath rule = { .folder = place->fd };
	if (place->needs & NEEDS_READ)
		rule.allowed |= READ_FILE | READ_DIR;
	if (place->needs & NEEDS_WRITE)
		rule.allowed |= WRITE_FILE | MAKE_REG | TRUNCATE;
	if (place->needs & NEEDS_UNLINK)
		rule.allowed |= REMOVE_FILE;
	rule.allowed &= r->fs;
	return syscall(ADD_RULE, ruleset, BENEATH, &rule, 0) == 0 ? 0 : errno;
}

int landlock_apply(unsigned needs, const struct landlock_place *places, unsigned n)
{
	int abi = landlock_abi(), sys = 0;
	if (abi == 0)
		return ENOSYS;
	const struct ruleset r = landlock_handled(abi, needs);
	size_t size = abi >= 6 ? sizeof r : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
	int fd = (int)syscall(CREATE, &r, size, 0);
	if (fd < 0)
		return errno;
	for (unsigned i = 0; i < n && sys == 0; i++)
		sys = landlock_leave(fd, &r, &places[i]);
	if (sys == 0 && syscall(RESTRICT_SELF, fd, 0) != 0)
		sys = errno;
	sys_close(fd);
	return sys;
}

#else

int landlock_abi(void)
{
	return 0;
}

int landlock_apply(unsigned needs, const struct landlock_place *places, unsigned n)
{
	(void)needs, (void)places, (void)n;
	return ENOSYS;
}

#endif
