/* A transcript: which bytes passed, when and in which direction, as text that text2pcap converts (base/hexdump.h).
 *
 * Lines that begin with # are comments: the connection of the data that follow, ends of data, and empty datagrams, which the form
 * cannot express. */
#ifndef CAPTURE_TRANSCRIPT_H
#define CAPTURE_TRANSCRIPT_H

#include "capture/output_file.h"
#include "stream/stream.h"

struct transcript { /* one file, of one connection or of the whole run; zeroed before first use, except file */
	struct output_file file;
	uint32_t conn; /* the connection whose data came last; 0: none */
};

/* Puts the layer on *top. peer: shown in comments. takes: the transcript and its file end with the stream. -1: no memory, nothing
 * is taken, *top unchanged. */
int transcript_push(struct stream **top, struct transcript *t, bool takes, uint32_t conn, const char *peer);

/* FILE with each %c as the number and %% as %; the caller's to mem_free. NULL: no memory. */
char *transcript_path(const char *file, uint32_t conn);
bool transcript_apart(const char *file); /* has it a %c: a file for each connection? */

#endif
