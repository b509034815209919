/* Files of taps: one for all connections of a run, or (%c in its name) one for each. */
#ifndef CAPTURE_OUTPUT_FILES_H
#define CAPTURE_OUTPUT_FILES_H

#include "capture/output_file.h"
#include "net/layer.h"

struct output_files {
	const char *option, *file; /* "--transcript", and what it was given */
	bool apart;
	size_t bytes; /* of what stands for a file; it begins with its struct output_file, and is zeroed otherwise */
	void *one;    /* for all; NULL with apart */
};

/* file NULL: nothing was asked for. 0, or -1 with e; *shared is for output_files_stop in either case. */
int output_files_start(const struct run *run, const char *option, const char *file, size_t bytes, void **shared, struct err *e);
/* What this connection writes to; NULL: nothing, which was told if it is a failure. With apart it is the caller's. */
void *output_files_for(const struct output_files *files, const struct link *link);
void output_files_unused(const struct output_files *files, void *one); /* what output_files_for gave */
void output_files_stop(const struct run *run, void *takes);

output_file_broke output_files_broke; /* arg: the run. Told at once, and again at the end; the traffic goes on */

#endif
