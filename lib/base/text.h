/* Text: UTF-8, printable characters, and C escapes.
 *
 * A peer's bytes reach a terminal, a log line or a label only through text_show (or codec/sanitize.c, which uses the same rule):
 * printable UTF-8 passes, everything else becomes \xHH per byte. Not printable are C0, DEL, C1, bidi and invisible format marks,
 * line separators, surrogates, noncharacters and malformed UTF-8. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UTF8_BAD = -1, UTF8_PARTIAL = 0 };

/* One code point at the start of p: its length 1..4 and *cp, UTF8_PARTIAL when p may become one with more bytes,
 * UTF8_BAD when it never will. n > 0. RFC 3629: no overlong forms, no surrogates, at most U+10FFFF. */
int utf8_decode(const unsigned char *p, size_t n, uint32_t *cp);

bool text_printable(uint32_t cp);

/* Writes bytes as printable text, always ending with NUL, never cutting an escape or a code point; an ellipsis is not
 * added. Newlines and tabs are escaped too (\n, \t); a backslash stays as it is. Returns the length written. */
size_t text_show(char *out, size_t cap, const void *bytes, size_t n);

/* C escapes \n \r \t \0 \\ \" \xHH to bytes, in place allowed (out == text). Returns the number of bytes, or -1 with e
 * naming the bad escape. out has room for strlen(text) bytes. */
long text_unescape(unsigned char *out, const char *text, struct err *e);

int text_digit(char c);				  /* of a hexadecimal number, either case; -1: it is none */
size_t text_hex(char out[2], unsigned char byte); /* two digits, lower case, no NUL; returns 2 */

#endif
