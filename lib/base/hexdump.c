/* Dumped lines (hexdump.h). Pure. */
#include "base/hexdump.h"

#include "base/text.h"

#include <stdio.h>

size_t hexdump_head(char out[HEXDUMP_LINE], bool in, int64_t wallclock_us)
{
	char time[WALLCLOCK_TEXT];
	return (size_t)snprintf(out, HEXDUMP_LINE, "%c %s\n", in ? 'I' : 'O', wallclock_text(wallclock_us, time));
}

size_t hexdump_line(char out[HEXDUMP_LINE], size_t off, const unsigned char *bytes, size_t n)
{
	size_t len = (size_t)snprintf(out, HEXDUMP_LINE, "%06zx ", off);
	for (size_t i = 0; i < n; i++) {
		len += text_hex(out + len, bytes[i]);
		out[len++] = ' ';
	}
	out[len++] = ' ';
	out[len++] = '|';
	for (size_t i = 0; i < n; i++)
		out[len++] = bytes[i] >= ' ' && bytes[i] < 0x7f ? (char)bytes[i] : '.';
	out[len++] = '|';
	out[len++] = '\n';
	out[len] = '\0';
	return len;
}
