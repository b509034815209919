/* A file that a run writes beside its payload: a transcript, a capture.
 *
 * Created with mode 0600, never through a symbolic link, truncated. Pieces are written whole: after the first failure (a full
 * disk) it is reported, the file is cut back to its last whole piece, and nothing more is written; the traffic continues. */
#ifndef CAPTURE_OUTPUT_FILE_H
#define CAPTURE_OUTPUT_FILE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

typedef void output_file_broke(void *arg, const struct err *e); /* ERR_LOCAL: "write PATH: No space left on device" */

struct output_file {
	int fd;		 /* -1: not open, or broken */
	int64_t written; /* bytes that are whole */
	int64_t begun;	 /* bytes behind them, of what is not whole yet */
	char *path;
	output_file_broke *broke;
	void *arg;
};

/* -1 with e (ERR_USAGE, "PATH: why"); then there is nothing to close. A FIFO needs its reader. */
int output_file_open(struct output_file *f, const char *path, output_file_broke *broke, void *arg, struct err *e);
/* Changes v. more: the rest of this entry follows; until it is written the entry is not whole. */
void output_file_write(struct output_file *f, struct iovec *v, int n, bool more);
void output_file_close(struct output_file *f); /* reports a failure, too */

#endif
