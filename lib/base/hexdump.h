/* The one form in which bytes are dumped, in files and on terminals: what `text2pcap -D -t ISO` reads.
 *
 *	I 2026-11-21T03:00:40.123456Z
 *	000000 61 62 0a  |ab.|
 *
 * The text column begins with a bar: without it text2pcap would take text that looks like hex for bytes. */
#ifndef BASE_HEXDUMP_H
#define BASE_HEXDUMP_H

#include "base/wallclock.h"

#include <stdbool.h>
#include <stddef.h>

enum { HEXDUMP_BYTES = 16, HEXDUMP_LINE = 96 };

/* Both end with a newline and a NUL, and return the length without the NUL. */
size_t hexdump_head(char out[HEXDUMP_LINE], bool in, int64_t wallclock_us);
size_t hexdump_line(char out[HEXDUMP_LINE], size_t off, const unsigned char *bytes, size_t n); /* n: 1 to HEXDUMP_BYTES */

#endif
