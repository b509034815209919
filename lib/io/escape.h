/* What an intruder would try, for tests of the sandbox: only in the seam build, which reads SOCKCTL_ESCAPE once it is sealed. */
#ifndef IO_ESCAPE_H
#define IO_ESCAPE_H

#ifdef SYS_SEAM
/* Tries what has that name ("open", "socket", "exec", ...): the errno, 0 when it went well, -1 when there is no such attempt. Or
 * it does not return. */
int escape_try(const char *name);
#endif

#endif
