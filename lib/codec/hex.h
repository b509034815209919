/* Bytes as people write them in hexadecimal. */
#ifndef CODEC_HEX_H
#define CODEC_HEX_H

#include "codec/filter.h"

/* Puts the layer on *top and replaces it: what is read below is text, and reads return the bytes that it stands for. Pairs of
 * digits, or single ones, in groups of any length; 0x or \x may stand before a group; spaces, newlines and any of ,:;- stand
 * between; from # on a line is a comment. Anything else is a failure (ERR_LOCAL) that names the line. by_line: each line with
 * digits is a read of its own, as long as it fits. Writing passes through. -1: no memory, *top unchanged. */
int hex_read_push(struct stream **top, bool by_line);

/* What is written: 16 bytes a line, an unfinished line without its newline until the end. */
filter_fn hex_convert;
size_t hex_line(char *out, const unsigned char *bytes, size_t n); /* n bytes in 3 * n characters, with a newline; 0 bytes: 1 */

#endif
