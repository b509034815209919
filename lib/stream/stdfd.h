/* stdin, stdout and stderr as nonblocking descriptors, without changing flags that others share.
 *
 * O_NONBLOCK belongs to the open file description, which a shell and its other children use too. So a pipe, terminal or
 * device is opened again through /proc/self/fd/N (or /dev/fd/N), which gives a private description, and that takes
 * the place of N. A regular file is used as it is, a socket with MSG_DONTWAIT. Where opening again is refused, O_NONBLOCK is set
 * with fcntl and taken back at exit, on fatal signals, and while the process is stopped. */
#ifndef STREAM_STDFD_H
#define STREAM_STDFD_H

#include "base/err.h"
#include "stream/stream.h"

/* First thing in main: a closed 0 gets /dev/null (EOF), a closed 1 gets /dev/null opened for reading (the first byte written
 * fails with EBADF rather than vanish), a closed 2 gets /dev/null for writing. So no socket gets a number below 3. */
void stdfd_guard(void);

/* Makes descriptor 0, 1 or 2 usable without blocking. 0 or -1 with e. Idempotent. */
int stdfd_ready(int fd, struct err *e);
/* The file behind descriptor N as a child wants it: blocking. A new descriptor, the caller's to close; -1: errno. Where opening
 * again is refused it does not block, as ours. */
int stdfd_lend(int fd);
/* Before files can no longer be opened: keeps /dev/null ready for stdfd_fill, until it is freed. */
void stdfd_keep_null(void);
void stdfd_free_null(void);
void stdfd_fill(int fd);  /* one of 0-2 that was closed: /dev/null for reading takes its number, so that no socket does */
void stdfd_restore(void); /* undoes what fcntl did; safe to call twice, and from a signal handler */

/* stdin and stdout as one stream, near end of the stdio service. reads or writes false: that side is left alone (EOF at once /
 * EBADF). ST_TTY is set when stdin is a terminal. NULL with e. */
struct stream *stdfd_stream(bool reads, bool writes, struct err *e);

/* Is stdin what has nothing to say: the null device, a descriptor that was closed, or a file? A file may still have bytes. */
bool stdfd_mute(void);

#endif
