/* A filter with which the kernel refuses every system call that the rest of the run does not need: seccomp(2), without a library.
 *
 * The allowed calls are a table in seccomp.c: reading, writing, waiting, memory without code, and the calls of `needs` (NEEDS_ of
 * base/opt.h). All others are refused:
 *
 * - calls that only an attacker makes (execve, ptrace, other processes' memory, namespaces, kernel modules) kill the process
 *   (SIGSYS), so that there is no second try;
 * - known calls fail with EPERM, so that a library that tries one continues without it;
 * - calls newer than the table fail with ENOSYS, from which a C library falls back.
 * Refused calls are written to the kernel's audit log, if it has one. */
#ifndef SANDBOX_SECCOMP_H
#define SANDBOX_SECCOMP_H

#include <stdbool.h>

bool seccomp_have(void); /* does this system filter calls, and are its numbers known? */

/* held: folders that stay open, whose entries may be examined and removed. Also for all children; cannot be undone. Requires
 * PR_SET_NO_NEW_PRIVS. 0, or the errno. */
int seccomp_apply(unsigned needs, const int *held, unsigned held_n);

#endif
