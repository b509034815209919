/* Numbers, sizes, durations and ports (num.h), read digit by digit: strtol and its family skip blanks, take signs and
 * hexadecimal, follow the locale and stop silently at any other character. Every parser here ends at the NUL or refuses. */
#include "base/num.h"
#include "base/servname.h"
#include "base/text.h"

#include <string.h>

/* Durations are added to the monotonic clock: a quarter of the range leaves room for every such sum. */
#define DURATION_MOST_MS (INT64_MAX / 4)

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit sizes[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "k", 1024 },
	{ "K", 1024 },
	{ "M", 1024 * 1024 },
	{ "G", 1024 * 1024 * 1024 },
	{ "KiB", 1024 },
	{ "MiB", 1024 * 1024 },
	{ "GiB", 1024 * 1024 * 1024 },
	{ "kB", 1000 },
	{ "MB", 1000 * 1000 },
	{ "GB", 1000 * 1000 * 1000 },
	{ NULL, 0 },
};

static const struct unit durations[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { NULL, 0 } };

static int num_refuse(const char *got, const char *expected, struct err *e)
{
	char shown[160];
	text_show(shown, sizeof shown, got, strlen(got));
	return err_set(e, ERR_USAGE, 0, "got \"%s\", expected %s", shown, expected);
}

/* The digits at *text as a number; *text moves after them. -1: there are none, or too many. */
static int num_digits(const char **text, int64_t *out)
{
	const char *p = *text;
	int64_t sum = 0;
	for (; *p >= '0' && *p <= '9'; p++) {
		int digit = *p - '0';
		if (sum > (INT64_MAX - digit) / 10)
			return -1;
		sum = sum * 10 + digit;
	}
	if (p == *text)
		return -1;
	*text = p;
	*out = sum;
	return 0;
}

static int64_t factor_of(const struct unit *units, const char *name)
{
	for (; units->name != NULL; units++)
		if (strcmp(units->name, name) == 0)
			return units->factor;
	return 0;
}

int num_int(const char *text, long long min, long long max, int64_t *out, struct err *e)
{
	const char *p = text;
	bool negative = *p == '-';
	int64_t n = 0;
	p += negative;
	if (num_digits(&p, &n) == 0 && *p == '\0') {
		n = negative ? -n : n;
		if (n >= min && n <= max) {
			*out = n;
			return 0;
		}
	}
	char shown[160];
	text_show(shown, sizeof shown, text, strlen(text));
	if (max == INT64_MAX)
		return err_set(e, ERR_USAGE, 0, "got \"%s\", expected a whole number, %lld or more", shown, min);
	return err_set(e, ERR_USAGE, 0, "got \"%s\", expected a whole number from %lld to %lld", shown, min, max);
}

int num_size(const char *text, int64_t *out_bytes, struct err *e)
{
	const char *p = text;
	int64_t n = 0;
	if (num_digits(&p, &n) == 0) {
		int64_t factor = factor_of(sizes, p);
		if (factor > 0 && n <= INT64_MAX / factor) {
			*out_bytes = n * factor;
			return 0;
		}
	}
	return num_refuse(text, "a size such as 4096, 64k, 1M, 2G or 10MB", e);
}

/* ".5" at *text as that part of `factor`, rounded up: a duration that is not zero must not become zero. */
static int num_fraction(const char **text, int64_t factor, int64_t *out)
{
	*out = 0;
	if (**text != '.')
		return 0;
	const char *p = ++*text;
	int64_t n = 0, scale = 1;
	if (num_digits(text, &n) != 0 || *text - p > 9)
		return -1;
	while (p++ < *text)
		scale *= 10;
	*out = (n * factor + scale - 1) / scale;
	return 0;
}

static int num_read_duration(const char *text, bool bare_seconds, int64_t *out_ms)
{
	const char *p = text;
	int64_t whole = 0, part = 0;
	if (num_digits(&p, &whole) != 0)
		return -1;
	const char *unit = p + strspn(p, ".0123456789");
	int64_t factor = factor_of(durations, unit);
	if (*unit == '\0' && (bare_seconds || (whole == 0 && unit == p)))
		factor = 1000;
	if (factor == 0 || num_fraction(&p, factor, &part) != 0 || p != unit || whole > (DURATION_MOST_MS - part) / factor)
		return -1;
	*out_ms = whole * factor + part;
	return 0;
}

int num_duration(const char *text, bool bare_seconds, int64_t *out_ms, struct err *e)
{
	if (num_read_duration(text, bare_seconds, out_ms) == 0)
		return 0;
	if (bare_seconds)
		return num_refuse(text, "a duration such as 250ms, 2s, 5m, 1h, or seconds", e);
	int64_t unused = 0;
	bool no_unit = num_read_duration(text, true, &unused) == 0;
	return num_refuse(text,
		no_unit ? "a duration with its unit, such as 250ms, 2s, 5m, 1h" : "a duration such as 250ms, 2s, 5m, 1h", e);
}

int num_port(const char *text, const char *proto, uint16_t *out, struct err *e)
{
	const char *p = text;
	int64_t n = 0;
	if (num_digits(&p, &n) == 0 && *p == '\0' && n <= UINT16_MAX) {
		*out = (uint16_t)n;
		return 0;
	}
	bool number = text[strspn(text, "0123456789")] == '\0';
	int port = number ? -1 : port_of_name(text, proto);
	if (port < 0)
		return num_refuse(text, "a port from 0 to 65535 or a service name", e);
	*out = (uint16_t)port;
	return 0;
}
