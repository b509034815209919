/* Completions for shells, written from the rows. Each shell has a writer; the rows say what option values are: a choice offers
 * its words, a FILE or PATH offers files, any other value offers nothing. */
#include "cli/help.h"
#include "cli/rows.h"

#include <string.h>

/* Walks every option of a command. */
typedef void each_option(FILE *out, const struct command *command, const struct opt *row);

static void complete_each(FILE *out, const struct command *command, each_option *fn)
{
	for (const struct opt_group *const *g = command->groups; *g != NULL; g++)
		for (const struct opt *row = (*g)->rows; row->name != NULL; row++)
			fn(out, command, row);
}

/* Text inside single quotes of any shell, without the characters that end it and those in `also`. */
static void put_quoted(FILE *out, const char *text, const char *also)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			fputs("'\\''", out);
		else if (strchr(also, *text) != NULL)
			fprintf(out, "\\%c", *text);
		else
			putc(*text, out);
	}
}

static void bash_name(FILE *out, const struct command *command, const struct opt *row)
{
	(void)command;
	if (row->ch != 0)
		fprintf(out, " -%c", row->ch);
	fprintf(out, " --%s", row->name);
}

/* An optional value is completed only after the equals sign. */
static void bash_value(FILE *out, const struct command *command, const struct opt *row)
{
	if (row->arg == NULL)
		return;
	fprintf(out, "\t%s\\ --%s%s", command->name, row->name, row->bare != NULL ? "=" : "");
	if (row->bare == NULL)
		fprintf(out, "|%s\\ --%s=", command->name, row->name);
	if (row->ch != 0)
		fprintf(out, "|%s\\ -%c", command->name, row->ch);
	fputs(") ", out);
	if (row->kind == OPT_CHOICE) {
		fputs("words='", out);
		rows_words(out, row->arg, " ");
		putc('\'', out);
	} else if (rows_is_path(row)) {
		fputs("files=1", out);
	}
	fputs(" ;;\n", out);
}

static void write_bash(FILE *out, const struct command *const *commands)
{
	fputs("_sockctl()\n{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} mode=${COMP_WORDS[1]} words= files=\n"
	      "\tif [[ $cur == '=' ]]; then\n\t\tcur= prev+==\n"
	      "\telif [[ $prev == '=' ]]; then\n\t\tprev=${COMP_WORDS[COMP_CWORD-2]}=\n\tfi\n"
	      "\tif ((COMP_CWORD == 1)); then\n\t\tCOMPREPLY=($(compgen -W '",
		out);
	for (size_t i = 0; commands[i] != NULL; i++)
		fprintf(out, "%s ", commands[i]->name);
	fputs("help completion --help --version' -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase \"$mode $prev\" in\n\thelp\\ help) words='",
		out);
	for (size_t i = 0; commands[i] != NULL; i++)
		fprintf(out, "%s%s", i == 0 ? "" : " ", commands[i]->name);
	fputs("' ;;\n\tcompletion\\ completion) words='bash zsh fish' ;;\n", out);
	for (size_t i = 0; commands[i] != NULL; i++)
		complete_each(out, commands[i], bash_value);
	fputs("\t*) files=1\n\t\tcase \"$mode $cur\" in\n", out);
	for (size_t i = 0; commands[i] != NULL; i++) {
		fprintf(out, "\t\t%s\\ -*) files= words='", commands[i]->name);
		complete_each(out, commands[i], bash_name);
		fputs(" --help' ;;\n", out);
	}
	fputs("\t\tesac ;;\n\tesac\n\tCOMPREPLY=()\n"
	      "\tif [[ $files ]]; then\n\t\tcompopt -o default 2>/dev/null\n"
	      "\telif [[ $words ]]; then\n\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n\tfi\n}\n"
	      "complete -F _sockctl sockctl\n",
		out);
}

/* One specification of _arguments. */
static void zsh_option(FILE *out, const struct command *command, const struct opt *row)
{
	(void)command;
	bool again = row->kind == OPT_HOOK || row->kind == OPT_LIST;
	const char *equals = row->bare != NULL ? "=-" : row->arg != NULL ? "=" : "", *plus = row->arg != NULL ? "+" : "";
	fputs("\t\t", out);
	if (row->ch != 0 && !again)
		fprintf(out, "'(-%c --%s)'", row->ch, row->name);
	if (again)
		fputs("'*'", out);
	if (row->ch != 0)
		fprintf(out, "{-%c%s,--%s%s}'[", row->ch, plus, row->name, equals);
	else
		fprintf(out, "'--%s%s[", row->name, equals);
	put_quoted(out, row->help, "[]:\\");
	putc(']', out);
	if (row->arg != NULL) {
		fputs(row->bare != NULL ? "::" : ":", out);
		put_quoted(out, row->kind == OPT_CHOICE ? row->name : row->arg, "[]:\\");
		putc(':', out);
	}
	if (row->kind == OPT_CHOICE) {
		putc('(', out);
		rows_words(out, row->arg, " ");
		putc(')', out);
	} else if (rows_is_path(row)) {
		fputs("_files", out);
	}
	fputs("' \\\n", out);
}

static void write_zsh(FILE *out, const struct command *const *commands)
{
	fputs("#compdef sockctl\n\nlocal -a modes\nmodes=(\n", out);
	for (size_t i = 0; commands[i] != NULL; i++) {
		fprintf(out, "\t'%s:", commands[i]->name);
		put_quoted(out, commands[i]->brief, ":\\");
		fputs("'\n", out);
	}
	fputs("\t'help:explain a mode'\n\t'completion:completions for a shell'\n)\n"
	      "if ((CURRENT == 2)); then\n\t_describe mode modes\n\treturn\nfi\n"
	      "local mode=$words[2]\nshift words\n((CURRENT--))\ncase $mode in\n",
		out);
	for (size_t i = 0; commands[i] != NULL; i++) {
		fprintf(out, "%s)\n\t_arguments -s \\\n", commands[i]->name);
		complete_each(out, commands[i], zsh_option);
		fputs("\t\t'--help[explain the options]' '*:address:_hosts' ;;\n", out);
	}
	fputs("help) _describe mode modes ;;\ncompletion) _values shell bash zsh fish ;;\nesac\n", out);
}

static void fish_option(FILE *out, const struct command *command, const struct opt *row)
{
	fprintf(out, "complete -c sockctl -n '__fish_seen_subcommand_from %s' -l %s", command->name, row->name);
	if (row->ch != 0)
		fprintf(out, " -s %c", row->ch);
	if (row->kind == OPT_CHOICE) {
		fputs(row->bare != NULL ? " -f -a '" : " -x -a '", out);
		rows_words(out, row->arg, " ");
		putc('\'', out);
	} else if (row->arg != NULL) {
		fputs(rows_is_path(row) ? " -r -F" : " -x", out);
	}
	fputs(" -d '", out);
	put_quoted(out, row->help, "\\");
	fputs("'\n", out);
}

static void write_fish(FILE *out, const struct command *const *commands)
{
	fputs("complete -c sockctl -f\n", out);
	for (size_t i = 0; commands[i] != NULL; i++) {
		fprintf(out, "complete -c sockctl -n __fish_use_subcommand -a %s -d '", commands[i]->name);
		put_quoted(out, commands[i]->brief, "\\");
		fputs("'\n", out);
	}
	fputs("complete -c sockctl -n __fish_use_subcommand -a help -d 'explain a mode'\n"
	      "complete -c sockctl -n __fish_use_subcommand -a completion -d 'completions for a shell'\n"
	      "complete -c sockctl -n __fish_use_subcommand -l help -s h -d 'explain'\n"
	      "complete -c sockctl -n __fish_use_subcommand -l version -s V -d 'version and features'\n"
	      "complete -c sockctl -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n"
	      "complete -c sockctl -n '__fish_seen_subcommand_from help' -a '",
		out);
	for (size_t i = 0; commands[i] != NULL; i++)
		fprintf(out, "%s%s", i == 0 ? "" : " ", commands[i]->name);
	fputs("'\n", out);
	for (size_t i = 0; commands[i] != NULL; i++)
		complete_each(out, commands[i], fish_option);
}

static const struct {
	const char *name;
	void (*write)(FILE *out, const struct command *const *commands);
} shells[] = { { "bash", write_bash }, { "zsh", write_zsh }, { "fish", write_fish }, { NULL, NULL } };

int complete_shell(FILE *out, const char *shell, const struct command *const *commands, struct err *e)
{
	for (size_t i = 0; shells[i].name != NULL; i++)
		if (strcmp(shells[i].name, shell) == 0) {
			shells[i].write(out, commands);
			return rows_end(out);
		}
	return err_set(e, ERR_USAGE, 0, "completion: got \"%s\", expected bash, zsh or fish", shell);
}
