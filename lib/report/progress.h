/* --progress: how far a run has come, for people: in words, or with a bar on a terminal. Pure, except for asking the terminal. */
#ifndef REPORT_PROGRESS_H
#define REPORT_PROGRESS_H

#include "base/event.h"
#include "base/opt.h"

enum progress_how { PROGRESS_NEVER, PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_LINE, PROGRESS_JSON };

extern const struct opt_group progress_opts; /* --progress, --size */
struct progress_conf {
	int how; /* enum progress_how */
	int64_t size_bytes;
};

/* What stderr allows: never AUTO, and BAR only on a terminal. */
enum progress_how progress_how(const struct progress_conf *conf);
/* How often it is reported; 0: only on SIGUSR1. */
int64_t progress_every_ms(const struct progress_conf *conf);

/* EV_PROGRESS as "sent 1.2MiB 310KiB/s  recv 40B  00:04 ETA 00:09". Returns the length; cap > 0. */
size_t progress_text(char *out, size_t cap, const struct event *ev);
/* The same with a bar after it if the end is known and there is room, never wider than columns. */
size_t progress_bar(char *out, size_t cap, const struct event *ev, size_t columns);
/* Columns of the terminal on stderr; 0: we are in the background and must not draw. */
size_t progress_columns(void);

#endif
