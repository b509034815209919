/* The time of day, for what people and other programs read. No deadline is ever measured with it. */
#ifndef BASE_WALL_H
#define BASE_WALL_H

#include <stdint.h>

enum { WALL_TEXT = 40 };

int64_t wall_us(void); /* microseconds since 1970, UTC */
/* "2026-11-21T03:00:40.123456Z" (RFC 3339); returns out. */
const char *wall_text(int64_t us, char out[WALL_TEXT]);

#endif
