/* Shared by help, manual and completions: walking the rows, and keeping equal headings together. */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include "base/opt.h"

#include <stdio.h>

enum { ROWS_GROUPS = 64 };

/* The distinct groups of the commands (NULL-terminated), those with the same title side by side, into out, which ends with NULL.
 */
void rows_groups(const struct command *const *commands, const struct opt_group *out[ROWS_GROUPS + 1]);
bool rows_listed(const struct command *command, const struct opt_group *group);
/* The default as typed; NULL: none worth showing. */
const char *rows_default(const struct opt *row);
bool rows_is_path(const struct opt *row); /* does its value name a file? */
/* "a|b|c" with another text in place of each bar. */
void rows_words(FILE *out, const char *words, const char *between);
/* Was everything written to `out`? 0, else -1 with errno. */
int rows_end(FILE *out);

#endif
