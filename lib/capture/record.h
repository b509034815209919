/* A record: what passed, as a talk script (script/talk_script.h) that plays our end again.
 *
 * What the peer sent is `expect`, what was sent to it `send`, a pause of more than RECORD_GAP_MS is a `wait`; our end is `shut`
 * where the peer went on and `close` where it did not, a reset of ours `rst`. The peer's end stands in a comment: what it ended
 * we had heard, and whether it would have waited for us nobody knows. */
#ifndef CAPTURE_RECORD_H
#define CAPTURE_RECORD_H

#include "loop/loop.h"
#include "capture/output_file.h"
#include "stream/stream.h"

enum { RECORD_GAP_MS = 50 };

struct record { /* one file, of one connection or of all of a run; zeroed before first use, but for file */
	struct output_file file;
	uint32_t first; /* its steps stand in no section, and so are for all that have none; 0: none yet */
	uint32_t conn;	/* in whose section we are; 0: in none yet */
};

/* Stands on *top. ends: shown in a comment. takes: the record and its file end with the stream. -1: no memory, nothing is taken,
 * *top as it was. */
int record_push(struct stream **top, struct record *r, bool takes, uint32_t conn, const char *ends, const struct loop *loop);

#endif
