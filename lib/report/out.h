/* What a run reports: sentences for people on stderr, and events for programs, as NDJSON, there (--json) or elsewhere (--events).
 * Lines are whole and bounded and never block: for a slow reader they wait in a queue (line_writer.h), beyond that they are
 * dropped and counted. */
#ifndef REPORT_OUT_H
#define REPORT_OUT_H

#include "base/event.h"
#include "base/opt.h"
#include "report/progress.h"
#include "report/persona.h"
#include "loop/loop.h"

extern const struct opt_group report_opts; /* -v, -q, -x, --json, --events, --events-data */
enum { DATA_NONE, DATA_LENGTH, DATA_BYTES };
struct report_conf {
	int64_t verbose; /* how often -v was given */
	bool quiet, hexdump, json;
	const char *events; /* FILE, fd:N or -; NULL: none */
	int data;	    /* --events-data: DATA_NONE .. BYTES */
};

struct out;
/* persona: NULL: sockctl. NULL with e: no memory, or --events cannot be written. */
struct out *out_open(
	const struct report_conf *conf, const struct progress_conf *progress, const struct persona *borrows, struct err *e);
const struct event_sink *out_sink(struct out *out);
/* From now on the loop says when a slow reader reads again; NULL before the loop is closed. */
void out_watch(struct out *out, struct loop *loop);

/* "sockctl: WORDS", always shown. */
void out_error(struct out *out, const char *words);
/* The same where there is no report, written directly. */
void out_cry(const struct persona *persona, const char *words);
/* The end of the run: writes the last event, and the failure (if error is not NULL) as out_error does. -1 with e (ERR_LOCAL): the
 * events could not be written to their end, and not because their reader left, so the run has failed; the caller reports that
 * once more. */
int out_end(struct out *out, int code, const char *cls, const char *error, struct err *e);
void out_close(struct out *takes); /* waits at most 200 ms for blocked readers */

#endif
