/* Files of observers: one for all connections of a run, or (%c in its name) one for each. */
#ifndef CAPTURE_OUTPUT_FILES_H
#define CAPTURE_OUTPUT_FILES_H

#include "capture/output_file.h"
#include "net/layer.h"

struct output_files {
	const char *option, *file; /* "--transcript", and its value */
	bool apart;
	size_t bytes; /* of the struct that stands for a file; it begins with its struct output_file, the rest is zeroed */
	void *one;    /* for all; NULL with apart */
};

/* file NULL: no file was asked for. 0, or -1 with e; *shared is for output_files_stop in either case. */
int output_files_start(const struct run *run, const char *option, const char *file, size_t bytes, void **shared, struct err *e);
/* The file that this connection writes to; NULL: none, and a failure was reported. With apart the caller owns it. */
void *output_files_for(const struct output_files *files, const struct link *link);
void output_files_unused(const struct output_files *files, void *one); /* as output_files_for returned it */
void output_files_stop(const struct run *run, void *takes);

output_file_broke output_files_broke; /* arg: the run. Reported at once, and again at the end; the traffic continues */

#endif
