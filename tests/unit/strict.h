/* A strict reader of one line of JSON: RFC 8259, in UTF-8 that holds nothing that a terminal obeys. */
#ifndef TESTS_STRICT_H
#define TESTS_STRICT_H

#include <stddef.h>

/* Where the text is no such line ("{...}\n"); NULL: it is one. */
const char *strict_line(const char *text, size_t len);
/* What the string of a key holds, escapes resolved, NULs as they are; its length, -1: no such key. */
long strict_string(const char *line, const char *key, char *out, size_t cap);

#endif
