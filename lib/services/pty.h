/* A terminal for a program that we run: what is written to the stream is what a person would type there, what is read is what it
 * shows. */
#ifndef SERVICES_PTY_H
#define SERVICES_PTY_H

#include "stream/stream.h"

/* Our end, nonblocking; *tty is the program's, the caller's to close once it has started. Its end is read when the last who has
 * it open is gone. shut types the terminal's end-of-file character, where the program reads lines: nothing else can tell it. NULL
 * with e. */
struct stream *pty_open(int *tty, struct err *e);

#endif
