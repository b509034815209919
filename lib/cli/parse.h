/* The command line: a mode, options before or after the address, "--", words. Everything comes from the rows of base/opt.h. */
#ifndef CLI_PARSE_H
#define CLI_PARSE_H

#include "base/opt.h"

enum parse_what { PARSE_RUN, PARSE_HELP, PARSE_VERSION, PARSE_COMPLETION, PARSE_DUMP };

struct parsed {
	enum parse_what what;
	const struct command *command; /* PARSE_RUN; for PARSE_HELP the mode asked about, or NULL */
	const char *topic;	       /* PARSE_COMPLETION: the shell */
	struct conf *conf;	       /* PARSE_RUN: the caller's to free */
	int argc;		       /* words that are no options, in order */
	char **argv;		       /* NULL-terminated; the caller's to mem_free (the array only) */
	int after;		       /* how many of argc stood after "--" (the last ones) */
};

/* -1 with e (ERR_USAGE): one sentence that names the word, what was expected, and the nearest right one. An option of another
 * mode is refused with the names of the modes that have it; a word of nc is answered with the right one. argc and argv are
 * main's, the program's name first. commands: NULL-terminated. On -1 there is nothing to free. */
int parse_line(struct parsed *out, int argc, char **argv, const struct command *const *commands, struct err *e);

#endif
