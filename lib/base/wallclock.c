/* The time of day (wallclock.h). */
#include "base/wallclock.h"

#include <stdio.h>
#include <time.h>

enum { US = 1000000 };

int64_t wallclock_us(void)
{
	struct timespec now = { 0 };
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * US + now.tv_nsec / 1000;
}

const char *wallclock_text(int64_t us, char out[WALLCLOCK_TEXT])
{
	time_t seconds = (time_t)(us / US);
	struct tm tm = { 0 };
	gmtime_r(&seconds, &tm);
	size_t n = strftime(out, WALLCLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, WALLCLOCK_TEXT - n, ".%06dZ", (int)(us % US));
	return out;
}
