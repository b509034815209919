/* The rows as a person or a tool reads them: help, completions, the version, plain data. All functions write to a FILE (stdout)
 * and return 0, or -1 if writing failed. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "base/opt.h"

#include <stdio.h>

int help_overview(FILE *out, const struct command *const *commands);
int help_mode(FILE *out, const struct command *command);
int help_version(FILE *out);

int dump_options(FILE *out, const struct command *const *commands); /* every row, for tools (cli/dump.c) */
int complete_shell(FILE *out, const char *shell, const struct command *const *commands,
	struct err *e); /* bash, zsh, fish (cli/complete.c) */

#endif
