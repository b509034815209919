/* What an intruder would try, for tests of the sandbox: only in the seam build, which reads SOCKCTL_ESCAPE once it is sealed. */
#ifndef SANDBOX_SANDBOX_PROBE_H
#define SANDBOX_SANDBOX_PROBE_H

#ifdef SYS_SEAM
/* Tries what has that name ("open", "socket", "exec", ...): the errno, 0 when it went well, -1 when there is no such attempt. Or
 * it does not return. */
int sandbox_probe_try(const char *name);
#endif

#endif
