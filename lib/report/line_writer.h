/* Where lines of reports go: a descriptor that may be slow, full or gone, behind a queue of 256 KiB. Only line_writer_flush
 * waits, and no longer than it is told. Each line is one write; a line is written whole or not at all. */
#ifndef REPORT_LINE_WRITER_H
#define REPORT_LINE_WRITER_H

#include "base/err.h"
#include "loop/loop.h"

enum { LINE_WRITER_MOST = 4096 }; /* the longest line, with its newline: what a pipe takes whole or not at all */

struct line_writer;
struct line_writer *line_writer_open(int fd, struct err *e); /* borrows fd, which is open. NULL with e (ERR_LOCAL): no memory */
/* "FILE" (created or emptied, 0600, no link followed; a FIFO waits for its reader), "fd:N" (or /dev/fd/N), "-" (stdout). NULL
 * with e (ERR_USAGE): it cannot be written. */
struct line_writer *line_writer_named(const char *name, struct err *e);
void line_writer_close(struct line_writer *takes); /* drops what is queued; NULL is fine */

/* From now on the loop says when there is room again; before that, and after NULL, each line tries by itself. */
void line_writer_watch(struct line_writer *s, struct loop *loop);

/* Is there room for another line? If not, it counts as missed, and so do all lines until the queue is half empty: asking before a
 * line is made is cheap. Room for two lines is kept for the last ones. */
bool line_writer_takes(struct line_writer *s);
bool line_writer_idle(const struct line_writer *s);	 /* is the queue empty? */
unsigned long line_writer_missed(struct line_writer *s); /* how many since the last call */
void line_writer_put(struct line_writer *s, const char *line, size_t len);
int line_writer_error(
	const struct line_writer *s); /* the errno of the failed write, after which nothing is written; 0: none failed */

int64_t line_writer_clock_ms(void); /* monotonic */
/* Writes the queue, waiting for room until then (0: not at all). */
void line_writer_flush(struct line_writer *s, int64_t until_ms);
bool line_writer_is_stdout(const struct line_writer *s);

#endif
