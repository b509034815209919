/* A transcript: what passed, when, which way, as a text that text2pcap converts (base/hexdump.h).
 *
 * Lines that begin with # are comments: whose data follows, ends of data, and empty datagrams, which the form cannot carry. */
#ifndef CAPTURE_TRANSCRIPT_H
#define CAPTURE_TRANSCRIPT_H

#include "capture/output_file.h"
#include "stream/stream.h"

struct transcript { /* one file, of one connection or of all of a run; zeroed before first use, but for file */
	struct output_file file;
	uint32_t conn; /* whose data came last; 0: nobody's */
};

/* Stands on *top. peer: shown in comments. takes: the transcript and its file end with the stream. -1: no memory, nothing is
 * taken, *top as it was. */
int transcript_push(struct stream **top, struct transcript *t, bool takes, uint32_t conn, const char *peer);

/* FILE with each %c as the number and %% as %; the caller's to mem_free. NULL: no memory. */
char *transcript_path(const char *file, uint32_t conn);
bool transcript_apart(const char *file); /* has it a %c: a file for each connection? */

#endif
