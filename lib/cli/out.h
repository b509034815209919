/* The only place that writes words to stderr. Lines are kept whole, bounded, and never block: while stderr's reader does not
 * read, lines wait in a queue of 64 KiB; beyond that they are dropped and counted. */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include "base/event.h"
#include "base/opt.h"

extern const struct opt_group report_opts; /* -v, -q */
struct report_conf {
	int64_t verbose; /* how often -v was given */
	bool quiet;
};

struct out;
struct out *out_open(const struct report_conf *conf); /* NULL: no memory */
const struct event_sink *out_sink(struct out *out);
/* "sockctl: WORDS", always shown. out may be NULL (before out_open): written directly. */
void out_error(struct out *out, const char *words);
void out_close(struct out *takes); /* waits at most 200 ms for a blocked reader */

/* One event as a line without newline, from its row's sentence (cli/report_text.c). Returns the length. */
size_t report_text(char *buf, size_t cap, const struct event *ev);

#endif
