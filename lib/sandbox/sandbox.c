/* Plans, and applying them (sandbox.h). Landlock comes first, because the filter forbids its calls. */
#include "sandbox/sandbox.h"

#include "base/mem.h"
#include "base/opt.h"
#include "base/sys.h"
#include "base/text.h"
#include "sandbox/seccomp.h"

#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(SANDBOX_OUT)
#define NO_SANDBOX 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define NO_SANDBOX 1
#endif
#endif

#ifndef O_PATH
#define O_PATH O_RDONLY
#endif

enum { SHOWN = 256 };

const char *sandbox_lacks(void)
{
#ifdef NO_SANDBOX
	return "this program was built without it";
#else
	if (!seccomp_have())
		return "this system cannot filter calls (seccomp)";
	return landlock_abi() == 0 ? "this system cannot restrict files (Landlock)" : NULL;
#endif
}

/* The folder of the file, with links followed; of a file not yet there, the last one whose name is known. The caller's to
 * free. */
static char *folder_of(const char *path, unsigned needs)
{
	char *real = needs & NEEDS_WRITE ? NULL : realpath(path, NULL);
	char *copy = mem_text(real != NULL ? real : path);
	free(real);
	if (copy == NULL)
		return NULL;
	char *number = needs & NEEDS_WRITE ? strstr(copy, "%c") : NULL;
	if (number != NULL)
		*number = '\0';
	char *slash = strrchr(copy, '/');
	if (slash == NULL)
		strcpy(copy, *copy == '\0' ? "" : ".");
	else
		slash[slash == copy] = '\0';
	return copy;
}

int sandbox_folder(struct sandbox *s, const char *path, unsigned needs, struct err *e)
{
	char shown[SHOWN];
	char *folder = folder_of(path, needs);
	if (folder == NULL)
		return err_set(e, ERR_LOCAL, ENOMEM, "--sandbox");
	int fd = s->places < SANDBOX_PLACES ? sys_open(*folder != '\0' ? folder : ".", O_PATH | O_DIRECTORY, 0) : -1;
	int sys = s->places < SANDBOX_PLACES ? errno : ENOSPC;
	text_show(shown, sizeof shown, folder, strlen(folder));
	mem_free(folder);
	if (fd < 0)
		return err_set(e, ERR_USAGE, sys, "--sandbox: folder %s", shown);
	s->place[s->places++] = (struct landlock_place){ .fd = fd, .needs = needs };
	return 0;
}

void sandbox_reread(struct sandbox *s, int folder_fd)
{
	int fd = s->places < SANDBOX_PLACES ? fcntl(folder_fd, F_DUPFD_CLOEXEC, 3) : -1;
	s->needs |= NEEDS_LISTS;
	if (fd >= 0)
		s->place[s->places++] = (struct landlock_place){ .fd = fd, .needs = NEEDS_READ };
}

void sandbox_hold(struct sandbox *s, int folder_fd)
{
	if (folder_fd >= 0 && s->held_n < SANDBOX_HELD) {
		s->held[s->held_n++] = folder_fd;
		s->needs |= NEEDS_UNLINK;
	}
}

#ifdef NO_SANDBOX

int sandbox_apply(struct sandbox *s, bool whole, struct sandbox_got *got, struct err *e)
{
	(void)s;
	*got = (struct sandbox_got){ 0 };
	return whole ? err_set(e, ERR_USAGE, 0, "--sandbox strict: %s", sandbox_lacks()) : 0;
}

#else

static int no_new_privileges(void)
{
#ifdef PR_SET_NO_NEW_PRIVS
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno;
#else
	return ENOSYS;
#endif
}

int sandbox_apply(struct sandbox *s, bool whole, struct sandbox_got *got, struct err *e)
{
	struct landlock_place places[SANDBOX_PLACES + SANDBOX_HELD];
	unsigned n = s->places;
	memcpy(places, s->place, n * sizeof places[0]);
	for (unsigned i = 0; i < s->held_n; i++)
		places[n++] = (struct landlock_place){ .fd = s->held[i], .needs = NEEDS_UNLINK };
	*got = (struct sandbox_got){ 0 };
	int sys = no_new_privileges();
	if (sys != 0)
		return whole ? err_set(e, ERR_LOCAL, sys, "--sandbox: no new privileges") : 0;
	sys = landlock_apply(s->needs, places, n);
	if (sys == 0)
		got->landlock = landlock_abi();
	else if (whole)
		return err_set(e, ERR_LOCAL, sys, "--sandbox: Landlock");
	sandbox_close(s);
	sys = seccomp_apply(s->needs, s->held, s->held_n);
	got->calls = sys == 0;
	return sys == 0 || !whole ? 0 : err_set(e, ERR_LOCAL, sys, "--sandbox: seccomp");
}

#endif

void sandbox_close(struct sandbox *s)
{
	while (s->places > 0)
		sys_close(s->place[--s->places].fd);
}
