/* Files of taps: one for all connections of a run, or (%c in its name) one for each. */
#ifndef NET_TAP_FILES_H
#define NET_TAP_FILES_H

#include "io/outfile.h"
#include "net/layer.h"

struct tap_files {
	const char *option, *file; /* "--transcript", and what it was given */
	bool apart;
	size_t bytes; /* of what stands for a file; it begins with its struct outfile, and is zeroed otherwise */
	void *one;    /* for all; NULL with apart */
};

/* file NULL: nothing was asked for. 0, or -1 with e; *shared is for tap_files_stop in either case. */
int tap_files_start(const struct env *env, const char *option, const char *file, size_t bytes, void **shared, struct err *e);
/* What this connection writes to; NULL: nothing, which was told if it is a failure. With apart it is the caller's. */
void *tap_files_for(const struct tap_files *files, const struct link *link);
void tap_files_unused(const struct tap_files *files, void *one); /* what tap_files_for gave */
void tap_files_stop(const struct env *env, void *takes);

outfile_broke tap_file_broke; /* arg: the env. At once, for whoever looks now, and in the end; the traffic goes on */

#endif
