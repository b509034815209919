/* Words that users of nc, ncat and socat type, answered with the right ones. Each function returns 0 if it knows nothing about
 * the words, and -1 with e (ERR_USAGE) if it does. */
#ifndef NC_HINTS_H
#define NC_HINTS_H

#include "base/opt.h"

/* A line without a mode: "-lvnp 7000", "example.org 80", "TCP-LISTEN:7000,fork -". argv without the program's name. */
int hints_line(int argc, char *const *argv, struct err *e);
/* One option that no mode has ("-z", "--broker"), or a word as socat has it, after the mode. */
int hints_option(const struct command *mode, const char *typed, struct err *e);
int hints_address(const char *word, struct err *e);
/* A long option of another tool, also with one dash, and with a value joined to it: "--ssl", "-ssl", "--port=80". */
int hints_word(const char *typed, struct err *e);
/* Where -q, which takes no value here, was followed by a number that is no address. */
int hints_quit(const char *number, struct err *e);

#endif
