/* A filter that lets the kernel refuse every system call that the rest of the run has no use for: seccomp(2), without a library.
 *
 * What is left is a table in seccomp.c: reading, writing, waiting, memory that holds no code, and what `needs` (NEEDS_ of
 * base/opt.h) asks for. Of the rest
 *   - calls that only an intruder makes (execve, ptrace, other processes' memory, namespaces, kernel modules) kill the process
 *     at once (SIGSYS): no library makes them by itself, and an intruder must not try twice;
 *   - calls that are known fail with EPERM, so that a library that tries something on the side goes on without it;
 *   - calls newer than the table fail with ENOSYS, which is what a C library falls back on.
 * All but the allowed ones are written to the kernel's audit log, where it keeps one. */
#ifndef SANDBOX_SECCOMP_H
#define SANDBOX_SECCOMP_H

#include <stdbool.h>

bool seccomp_have(void); /* does this system filter calls, and do we know its numbers? */

/* held: folders that stay open, from which entries may be looked at and removed. For good, and for all children. Wants
 * PR_SET_NO_NEW_PRIVS. 0, or the errno. */
int seccomp_apply(unsigned needs, const int *held, unsigned held_n);

#endif
