/* What an operator types at the console (pure): text for all, "@3 text" for one, "/who", "/kick 3". "@@" and "//" at the start of
 * a line stand for the plain sign. */
#ifndef SERVICES_CONSOLE_COMMAND_H
#define SERVICES_CONSOLE_COMMAND_H

#include <stddef.h>
#include <stdint.h>

enum console_verb { CONSOLE_ALL, CONSOLE_ONE, CONSOLE_WHO, CONSOLE_KICK, CONSOLE_UNKNOWN };

struct console_command {
	enum console_verb verb;
	uint32_t id;	  /* CONSOLE_ONE, CONSOLE_KICK */
	const char *text; /* what is sent, with its newline if there was one; points into the line */
	size_t text_len;
};

void console_command_parse(const char *line, size_t n, struct console_command *out);

#endif
