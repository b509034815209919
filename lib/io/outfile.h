/* A file that a run writes beside its payload: a transcript, a capture.
 *
 * Created with mode 0600, never through a symbolic link, truncated. What is written at once stays whole: the first failure (a
 * full disk) is told, the file is cut back to what was whole, and nothing more is written; the traffic goes on. */
#ifndef IO_OUTFILE_H
#define IO_OUTFILE_H

#include "base/err.h"

#include <stdint.h>
#include <sys/uio.h>

typedef void outfile_broke(void *arg, const struct err *e); /* ERR_LOCAL: "write PATH: No space left on device" */

struct outfile {
	int fd;		 /* -1: not open, or broken */
	int64_t written; /* bytes that are whole */
	char *path;
	outfile_broke *broke;
	void *arg;
};

/* -1 with e (ERR_USAGE, "PATH: why"); then there is nothing to close. A FIFO needs its reader. */
int outfile_open(struct outfile *f, const char *path, outfile_broke *broke, void *arg, struct err *e);
void outfile_write(struct outfile *f, struct iovec *v, int n); /* changes v */
void outfile_close(struct outfile *f);			       /* tells of a failure, too */

#endif
