/* What an event looks like: as a sentence for people, as a line of JSON for programs. Pure. */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "base/event.h"

#include <time.h>

enum { REPORT_LINE = 4096 };

/* As a line without newline, from its row's sentence, all of it or up to the |. Passwords in URLs are hidden. Returns the length;
 * cap > 0. */
size_t report_text(char *buf, size_t cap, const struct event *ev, bool all);

struct report_dump { /* zeroed before each event, except conn, the connection whose payload came last */
	int64_t wallclock_us;
	uint32_t conn;
	size_t at; /* bytes that are dumped already */
	bool begun, colour;
};
/* EV_DATA as a hexdump, as many whole lines as fit, starting at d->at. Returns the length; 0: that was all. */
size_t report_hex(char out[REPORT_LINE], const struct event *ev, struct report_dump *d);

struct report_stamp { /* what every line has */
	uint64_t seq;
	struct timespec at; /* of day */
	int64_t us;	    /* since the start */
};
/* As one object and a newline, at most REPORT_LINE bytes: strict JSON whatever the fields hold. Bytes that are not UTF-8 become
 * U+FFFD; characters unsafe for a terminal are escaped; what does not fit is cut. Returns the length. */
size_t report_json(char line[REPORT_LINE], const struct event *ev, const struct report_stamp *stamp);

#endif
