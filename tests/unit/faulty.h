/* A layer of faults on a double, under the clock that jumps: for tests that ask when something passes, and what. */
#ifndef TESTS_FAULTY_H
#define TESTS_FAULTY_H

#include "double.h"
#include "fault/fault_internal.h"

struct faulty {
	struct loop *loop;
	struct double_stream below;
	struct event_sink sink;
	struct lingers *linger;
	struct fault_run fixture;
	struct stream *top;
	char log[20000]; /* the fault events: " kind dir off value;" each */
	size_t log_n;
};

/* faults: separated by blanks, as --fault takes them. caps: 0 or ST_DGRAM. reads: what comes from below; NULL: nothing. */
void faulty_open(struct faulty *f, const char *faults, uint64_t seed, unsigned caps, const struct act *reads);
void faulty_close(struct faulty *f);
int faulty_apply(struct faulty *f, const char *text); /* as fault_apply */
const struct fault *faulty_layer(const struct faulty *f);

int64_t faulty_now_ms(const struct faulty *f); /* since it was opened */
void faulty_wait(struct faulty *f, int64_t ms);
/* One read, which waits: bytes, 0 for the end, ST_FAIL. */
ssize_t faulty_read(struct faulty *f, void *bytes, size_t len);
void faulty_write(struct faulty *f, const void *bytes, size_t len); /* all of it, waiting while there is no room */
void faulty_flush(struct faulty *f);				    /* waits until what is held has gone */
void faulty_shut(struct faulty *f);				    /* ... and the end behind it */

#endif
