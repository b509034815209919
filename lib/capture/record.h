/* A record: traffic as a talk script (script/talk_script.h) that plays our end again.
 *
 * The peer's bytes are `expect`, ours `send`, a pause of more than RECORD_GAP_MS is a `wait`; our end is `shut` if the peer
 * continued and `close` if not, a reset of ours `rst`. The peer's end is only a comment, because the record cannot show whether
 * the peer would have waited for us. */
#ifndef CAPTURE_RECORD_H
#define CAPTURE_RECORD_H

#include "loop/loop.h"
#include "capture/output_file.h"
#include "stream/stream.h"

enum { RECORD_GAP_MS = 50 };

struct record { /* one file, of one connection or of the whole run; zeroed before first use, except file */
	struct output_file file;
	uint32_t first; /* this connection's steps stand in no section, and so are for all without one; 0: none yet */
	uint32_t conn;	/* the connection of the present section; 0: none yet */
};

/* Puts the layer on *top. ends: shown in a comment. takes: the record and its file end with the stream. -1: no memory, nothing is
 * taken, *top unchanged. */
int record_push(struct stream **top, struct record *r, bool takes, uint32_t conn, const char *ends, const struct loop *loop);

#endif
