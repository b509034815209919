/* What a pipe gives once, kept for every client. */
#ifndef SERVICES_KEPT_FILE_H
#define SERVICES_KEPT_FILE_H

#include "base/err.h"
#include "stream/stream.h"

struct kept_file { /* zeroed: nothing yet */
	char *bytes;
	size_t len;
};

/* Reads a pipe to its end, which may block: before the loop turns. name: of the file, for errors. -1 with e: it cannot be read,
 * or has more than 64 MiB (ERR_USAGE); kept_file_free is the caller's in any case. */
int kept_file_read(struct kept_file *k, int fd, const char *name, struct err *e);
void kept_file_free(struct kept_file *k);
/* All of it, from its beginning, once more. Borrows k. NULL: no memory. */
struct stream *kept_file_stream(const struct kept_file *k);

#endif
