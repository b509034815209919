/* A terminal for a program that we run: bytes written to the stream are its typed input, bytes read are its output. */
#ifndef SERVICES_PTY_H
#define SERVICES_PTY_H

#include "stream/stream.h"

/* Our end, nonblocking; *tty is the program's, the caller's to close once it has started. Its end is read when no process has it
 * open any more. shut types the terminal's end-of-file character, the only way to send an end, if the program reads lines. NULL
 * with e. */
struct stream *pty_open(int *tty, struct err *e);

#endif
