/* Numbers as users write them. Each parser takes the whole text or fails; none depends on the locale or errno. 0 and *out on
 * success, -1 and a sentence in e (ERR_USAGE: what was given, what was expected) otherwise. */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

int num_int(const char *text, long long min, long long max, int64_t *out, struct err *e);

/* 64k 1M 2G and KiB MiB GiB are 1024^n; kB MB GB are 1000^n; a lower-case m is no size. */
int num_size(const char *text, int64_t *out_bytes, struct err *e);

/* 250ms 2s 5m 1h 1.5s; a number without unit is seconds where bare_seconds, an error otherwise. 0 needs no unit. */
int num_duration(const char *text, bool bare_seconds, int64_t *out_ms, struct err *e);

/* 0-65535, or a service name of /etc/services for "tcp" or "udp". */
int num_port(const char *text, const char *proto, uint16_t *out, struct err *e);

#endif
