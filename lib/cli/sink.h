/* Where lines of reports go: a descriptor that may be slow, full or gone, behind a queue of 256 KiB. Nothing here ever waits but
 * sink_flush, and that no longer than it is told. Each line is one write, and is whole or not there. */
#ifndef CLI_SINK_H
#define CLI_SINK_H

#include "base/err.h"
#include "io/loop.h"

enum { SINK_LINE = 4096 }; /* the longest line, with its newline: what a pipe takes whole or not at all */

struct sink;
struct sink *sink_open(int fd, struct err *e); /* borrows fd, which is open. NULL with e (ERR_LOCAL): no memory */
/* "FILE" (made or emptied, 0600, no link followed; a FIFO waits for its reader), "fd:N" (or /dev/fd/N), "-" (stdout). NULL with e
 * (ERR_USAGE): it cannot be written. */
struct sink *sink_named(const char *name, struct err *e);
void sink_close(struct sink *takes); /* drops what is queued; NULL is fine */

/* From now on the loop says when there is room again; before that, and after NULL, each line tries for itself. */
void sink_watch(struct sink *s, struct loop *loop);

/* Is there room for another line? If not, it counts as missed, and so do others until the queue is half empty: it is cheap to ask
 * before a line is made. Room for two lines is kept even then, for the last words. */
bool sink_takes(struct sink *s);
bool sink_idle(const struct sink *s);	   /* does nothing wait? */
unsigned long sink_missed(struct sink *s); /* how many since this was last asked */
void sink_put(struct sink *s, const char *line, size_t len);
int sink_error(const struct sink *s); /* the errno of the write that failed: nothing is written since. 0: all is well */

int64_t sink_clock_ms(void); /* monotonic */
/* Writes what is queued, waiting for room until then (0: not at all). */
void sink_flush(struct sink *s, int64_t until_ms);
bool sink_is_stdout(const struct sink *s);

#endif
