/* What the rows say, as plain data for tools such as man/write: one row a line, its fields separated by tabs. In a field, a
 * backslash and a newline are written as \\ and \n; what a row does not have is empty. The first field says what the others are:
 *
 *   mode     name, arguments, help, manual
 *   option   heading, its modes, letter, name, argument, "bare" if that may be absent, help, manual, default, what it
 *            needs of a run (base/opt.h)
 *   event    name, level, fields, sentence
 *   exit     status, name, meaning */
#include "cli/help.h"
#include "base/event.h"
#include "cli/rows.h"

static void put_field(FILE *out, const char *text)
{
	putc('\t', out);
	for (; text != NULL && *text != '\0'; text++) {
		if (*text == '\\' || *text == '\n')
			putc('\\', out);
		putc(*text == '\n' ? 'n' : *text, out);
	}
}

static void dump_row(FILE *out, const char *kind, const char *const *fields, size_t n)
{
	fputs(kind, out);
	for (size_t i = 0; i < n; i++)
		put_field(out, fields[i]);
	putc('\n', out);
}

#define DUMP(out, kind, ...)                                                                                                     \
	dump_row(out, kind, (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void dump_option(FILE *out, const struct command *const *commands, const struct opt_group *group, const struct opt *row)
{
	char modes[128] = "";
	size_t used = 0;
	for (size_t i = 0; commands[i] != NULL; i++)
		if (rows_listed(commands[i], group) && used < sizeof modes)
			used += (size_t)snprintf(
				modes + used, sizeof modes - used, "%s%s", used > 0 ? " " : "", commands[i]->name);
	char with[256] = "";
	used = 0;
	for (const struct opt_fact *fact = opt_facts; fact->name != NULL; fact++)
		if (opt_with(group, row) & fact->fact && used < sizeof with)
			used += (size_t)snprintf(with + used, sizeof with - used, "%s%s", used > 0 ? " " : "", fact->name);
	DUMP(out, "option", group->title, modes, (const char[]){ row->ch, '\0' }, row->name, row->arg,
		row->bare != NULL ? "bare" : "", row->help, row->man, rows_default(row), with);
}

int dump_options(FILE *out, const struct command *const *commands)
{
	static const char *const levels[] = { "loud", "brief", "always", "verbose", "debug" };
	const struct opt_group *groups[ROWS_GROUPS + 1];
	for (size_t i = 0; commands[i] != NULL; i++)
		DUMP(out, "mode", commands[i]->name, commands[i]->args, commands[i]->brief, commands[i]->man);
	rows_groups(commands, groups);
	for (size_t i = 0; groups[i] != NULL; i++)
		for (const struct opt *row = groups[i]->rows; row->name != NULL; row++)
			dump_option(out, commands, groups[i], row);
	for (const struct ev_row *row = ev_rows; row < ev_rows + EV_KINDS; row++)
		DUMP(out, "event", row->name, levels[row->level], row->fields, row->sentence);
	for (const struct err_row *row = err_rows; row->name != NULL; row++) {
		char status[16];
		snprintf(status, sizeof status, "%d", (int)row->cls);
		DUMP(out, "exit", status, row->name, row->meaning);
	}
	return rows_end(out);
}
