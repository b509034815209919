/* What users of nc, ncat and socat type, answered with the right words. Each of these returns 0 when it knows nothing about the
 * words, and -1 with e (ERR_USAGE) when it does. */
#ifndef NC_HINTS_H
#define NC_HINTS_H

#include "base/opt.h"

/* A line without a mode: "-lvnp 7000", "example.org 80", "TCP-LISTEN:7000,fork -". argv without the program's name. */
int hints_line(int argc, char *const *argv, struct err *e);
/* One option that no mode has ("-z", "--broker"), or a word in socat's manner, behind the mode. */
int hints_option(const struct command *mode, const char *typed, struct err *e);
int hints_address(const char *word, struct err *e);

#endif
