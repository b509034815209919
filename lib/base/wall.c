/* The time of day (wall.h). */
#include "base/wall.h"

#include <stdio.h>
#include <time.h>

enum { US = 1000000 };

int64_t wall_us(void)
{
	struct timespec now = { 0 };
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * US + now.tv_nsec / 1000;
}

const char *wall_text(int64_t us, char out[WALL_TEXT])
{
	time_t seconds = (time_t)(us / US);
	struct tm tm = { 0 };
	gmtime_r(&seconds, &tm);
	size_t n = strftime(out, WALL_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, WALL_TEXT - n, ".%06dZ", (int)(us % US));
	return out;
}
