/* The command line as text. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stddef.h>

/* The words with blanks between them, quoted for a shell where they need it, passwords hidden. Cut where out ends; cap > 0. */
void args_text(char *out, size_t cap, int argc, char *const argv[]);

#endif
