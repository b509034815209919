/* The time of day, for people and other programs. No deadline is ever measured with it. */
#ifndef BASE_WALLCLOCK_H
#define BASE_WALLCLOCK_H

#include <stdint.h>

enum { WALLCLOCK_TEXT = 40 };

int64_t wallclock_us(void); /* microseconds since 1970, UTC */
/* "2026-11-21T03:00:40.123456Z" (RFC 3339); returns out. */
const char *wallclock_text(int64_t us, char out[WALLCLOCK_TEXT]);

#endif
