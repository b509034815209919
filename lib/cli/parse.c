/* The command line (parse.h): first the mode, then options and words in any order, then "--" and the words after it.
 *
 * Options are looked up in the rows of the running command only. The other commands' rows serve the error: it names a mode that
 * has the option, else the nearest right word, else what another program means by it (hints.h). Long names are never shortened,
 * because a script that shortens one breaks when an option is added. */
#include "cli/parse.h"
#include "nc/hints.h"
#include "cli/suggest.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN = 128 };

struct line {
	struct parsed *out;
	const struct command *const *commands;
	int argc, at;
	char **argv;
	int quit; /* which of the words for the address followed -q and is a number; -1: none */
	struct err *e;
};

struct found {
	const struct opt_group *group;
	const struct opt *row;
};

static const char *parse_show(char out[SHOWN], const char *word)
{
	text_show(out, SHOWN, word, strlen(word));
	return out;
}

static bool parse_is(const char *word, const char *name, const char *letter)
{
	return strcmp(word, name) == 0 || strcmp(word, letter) == 0;
}

static bool is_number(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static const struct command *command_of(const struct command *const *commands, const char *name)
{
	while (*commands != NULL && strcmp((*commands)->name, name) != 0)
		commands++;
	return *commands;
}

/* The row of a command by its name (n bytes long), or by its letter where name is NULL. */
static bool parse_find(const struct command *command, const char *name, size_t n, char ch, struct found *out)
{
	for (const struct opt_group *const *g = command->groups; *g != NULL; g++)
		for (const struct opt *row = (*g)->rows; row->name != NULL; row++)
			if (name == NULL ? row->ch == ch : strncmp(row->name, name, n) == 0 && row->name[n] == '\0') {
				*out = (struct found){ *g, row };
				return true;
			}
	return false;
}

static __attribute__((format(printf, 4, 5))) size_t append(char *buf, size_t cap, size_t used, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(buf + used, cap - used, fmt, ap);
	va_end(ap);
	return n < 0 ? used : used + (size_t)n < cap ? used + (size_t)n : cap - 1;
}

static bool parse_has(const struct command *command, const char *name, char ch)
{
	struct found unused;
	return (name == NULL && ch == 0) || parse_find(command, name, name == NULL ? 0 : strlen(name), ch, &unused);
}

/* Names of commands as "serve, echo and chat": those that have the option, or all of them. Returns how many. */
static unsigned list_commands(
	const struct command *const *commands, const char *name, char ch, const char *last, char *out, size_t cap)
{
	unsigned n = 0, listed = 0;
	size_t used = 0;
	out[0] = '\0';
	for (size_t i = 0; commands[i] != NULL; i++)
		n += parse_has(commands[i], name, ch);
	for (size_t i = 0; commands[i] != NULL; i++)
		if (parse_has(commands[i], name, ch)) {
			const char *before = listed == 0 ? "" : listed + 1 < n ? ", " : last;
			used = append(out, cap, used, "%s%s", before, commands[i]->name);
			listed++;
		}
	return n;
}

static const char *nearest_option(const struct command *command, const char *name)
{
	const char *best = NULL;
	unsigned distance = 0;
	for (const struct opt_group *const *g = command->groups; *g != NULL; g++)
		for (const struct opt *row = (*g)->rows; row->name != NULL; row++)
			suggest_offer(name, row->name, &best, &distance);
	return best;
}

/* typed is "--name" or "-x", whole and without a value. */
static int refuse_option(const struct line *line, const char *typed)
{
	const struct command *command = line->out->command;
	const char *name = typed[1] == '-' ? typed + 2 : NULL;
	char shown[SHOWN], others[128];
	parse_show(shown, typed);
	unsigned n = list_commands(line->commands, name, name == NULL ? typed[1] : 0, " and ", others, sizeof others);
	if (n > 0)
		return err_set(
			line->e, ERR_USAGE, 0, "%s has no %s; %s %s it", command->name, shown, others, n > 1 ? "have" : "has");
	if (hints_option(command, typed, line->e) != 0)
		return -1;
	const char *best = name == NULL ? NULL : nearest_option(command, name);
	if (best != NULL)
		return err_set(line->e, ERR_USAGE, 0, "unknown option %s; did you mean --%s?", shown, best);
	return err_set(line->e, ERR_USAGE, 0, "unknown option %s; \"sockctl help %s\" lists the options", shown, command->name);
}

/* Sets the option, from `value` if it stands in the same word, else from the next word if it needs one. */
static int parse_set(struct line *line, const struct found *f, const char *typed, const char *value)
{
	if (value == NULL)
		value = f->row->bare;
	if (f->row->arg != NULL && value == NULL) {
		if (line->at + 1 == line->argc)
			return err_set(line->e, ERR_USAGE, 0, "%s needs a value: %s", typed, f->row->arg);
		value = line->argv[++line->at];
	}
	return conf_set_as(line->out->conf, f->group, f->row, typed, value, line->e);
}

static int read_long(struct line *line, const char *word)
{
	struct found f;
	const char *name = word + 2, *equals = strchr(name, '=');
	size_t n = equals == NULL ? strlen(name) : (size_t)(equals - name);
	char typed[SHOWN];
	snprintf(typed, sizeof typed, "--%.*s", (int)(n < SHOWN ? n : SHOWN), name);
	if (!parse_find(line->out->command, name, n, 0, &f))
		return refuse_option(line, typed);
	if (f.row->arg == NULL && equals != NULL) {
		char shown[SHOWN];
		return err_set(line->e, ERR_USAGE, 0, "%s takes no value, got \"%s\"", typed, parse_show(shown, equals + 1));
	}
	return parse_set(line, &f, typed, equals == NULL ? NULL : equals + 1);
}

/* "-verbose" as letters would be -v -e rbose, which starts a shell: a word that looks like a long option is never letters. */
static int refuse_single(const struct line *line, const char *word)
{
	char name[SHOWN], shown[SHOWN];
	snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 1, "="), word + 1);
	if (hints_word(word, line->e) != 0)
		return -1;
	bool ours = strcmp(name, "help") == 0 || strcmp(name, "version") == 0;
	for (size_t i = 0; line->commands[i] != NULL && name[0] != '\0' && name[1] != '\0' && !ours; i++)
		ours = parse_has(line->commands[i], name, 0);
	if (!ours)
		return 0;
	return err_set(line->e, ERR_USAGE, 0, "unknown option %s; did you mean --%s?", parse_show(shown, word), name);
}

/* A command that is joined to other letters, or to a name that is nearly one of ours, was not meant as a command. */
static int refuse_joined(const struct line *line, const char *word, const struct found *f, const char *p)
{
	bool begins = strncmp(word + 1, f->row->name, strlen(f->row->name)) == 0; /* -execute */
	const char *near = begins			  ? f->row->name
			   : (f->row->needs & NEEDS_EXEC) ? nearest_option(line->out->command, word + 1)
							  : NULL;
	char shown[SHOWN];
	if (near != NULL)
		return err_set(line->e, ERR_USAGE, 0, "unknown option %s; did you mean --%s?", parse_show(shown, word), near);
	if ((f->row->needs & NEEDS_EXEC) == 0 || p == word + 1)
		return 0;
	return err_set(line->e, ERR_USAGE, 0, "unknown option %s; the command of -%c is a word of its own: -%c %s",
		parse_show(shown, word), *p, *p, f->row->arg);
}

static int read_letters(struct line *line, const char *word)
{
	if (refuse_single(line, word) != 0)
		return -1;
	for (const char *p = word + 1; *p != '\0'; p++) {
		struct found f;
		char typed[SHOWN] = { '-', *p, '\0' };
		if (!parse_find(line->out->command, NULL, 0, *p, &f)) {
			bool quits = p > word + 1 && p[-1] == 'q' && is_number(p);
			return quits ? hints_quit(p, line->e) : refuse_option(line, typed);
		}
		bool takes = f.row->arg != NULL;
		if (takes && p[1] != '\0' && refuse_joined(line, word, &f, p) != 0)
			return -1;
		if (parse_set(line, &f, typed, takes && p[1] != '\0' ? p + 1 : NULL) != 0)
			return -1;
		if (takes)
			return 0;
	}
	return 0;
}

/* All words after the mode. */
static int read_words(struct line *line)
{
	struct parsed *out = line->out;
	for (; line->at < line->argc; line->at++) {
		char *word = line->argv[line->at];
		if (strcmp(word, "--") == 0) {
			out->after = line->argc - line->at - 1;
			while (++line->at < line->argc)
				out->argv[out->argc++] = line->argv[line->at];
			return 0;
		}
		if (parse_is(word, "--help", "-h") || parse_is(word, "--version", "-V")) {
			out->what = parse_is(word, "--help", "-h") ? PARSE_HELP : PARSE_VERSION;
			return 0;
		}
		if (word[0] != '-' || word[1] == '\0') {
			if (hints_address(word, line->e) != 0)
				return -1;
			const char *last = line->argv[line->at - 1];
			if (is_number(word) && last[0] == '-' && last[1] != '-' && last[strlen(last) - 1] == 'q')
				line->quit = out->argc;
			out->argv[out->argc++] = word;
		} else if ((word[1] == '-' ? read_long : read_letters)(line, word) != 0) {
			return -1;
		}
	}
	return 0;
}

static void parse_drop(struct parsed *out)
{
	conf_free(out->conf);
	mem_free(out->argv);
	out->conf = NULL;
	out->argv = NULL;
	out->argc = out->after = 0;
}

/* "-q 1 HOST PORT", "7000 -q 1", "HOST:PORT -q 1", "HOST PORT -q 1": a number that cannot be part of the address. */
static int check_quit(const struct line *line)
{
	const struct parsed *out = line->out;
	int at = line->quit, n = out->argc - out->after;
	if (at < 0 || out->what != PARSE_RUN)
		return 0;
	const char *first = out->argv[0], *colon = strchr(first, ':');
	bool whole = is_number(first) || strstr(first, "]:") != NULL || (colon != NULL && strchr(colon + 1, ':') == NULL) ||
		     strstr(first, "://") != NULL;
	return (at == 0 && n > 1) || (at == 1 && whole) || at > 1 ? hints_quit(out->argv[at], line->e) : 0;
}

static int read_run(struct line *line)
{
	struct parsed *out = line->out;
	out->what = PARSE_RUN;
	out->conf = conf_new(line->commands, out->command, line->e);
	if (out->conf == NULL)
		return -1;
	out->argv = mem_new(((size_t)line->argc + 1) * sizeof *out->argv);
	if (out->argv == NULL)
		err_set(line->e, ERR_LOCAL, 0, "no memory for the command line");
	bool read = out->argv != NULL && read_words(line) == 0 && check_quit(line) == 0;
	if (read && (out->what != PARSE_RUN || conf_check(out->conf, line->e) == 0)) {
		if (out->what != PARSE_RUN)
			parse_drop(out);
		return 0;
	}
	parse_drop(out);
	return -1;
}

static const char *nearest_mode(const struct line *line, const char *word)
{
	const char *best = NULL;
	unsigned distance = 0;
	for (const struct command *const *c = line->commands; *c != NULL; c++)
		suggest_offer(word, (*c)->name, &best, &distance);
	suggest_offer(word, "help", &best, &distance);
	suggest_offer(word, "completion", &best, &distance);
	return best;
}

static int refuse_mode(const struct line *line, const char *word)
{
	char shown[SHOWN], modes[128];
	const char *best = nearest_mode(line, word);
	parse_show(shown, word);
	if (best != NULL)
		return err_set(line->e, ERR_USAGE, 0, "unknown mode %s; did you mean %s?", shown, best);
	list_commands(line->commands, NULL, 0, " or ", modes, sizeof modes);
	const char *what = word[0] == '-' ? "no mode before" : "unknown mode";
	return err_set(line->e, ERR_USAGE, 0, "%s %s, expected %s", what, shown, modes);
}

/* The first word is no word of ours. */
static int refuse_line(const struct line *line)
{
	char *first = line->argv[1];
	char shown[SHOWN];
	for (int i = 2; first[0] == '-' && i < line->argc; i++)
		if (command_of(line->commands, line->argv[i]) != NULL)
			return err_set(line->e, ERR_USAGE, 0, "%s stands before the mode: use \"sockctl %s %s ...\"",
				parse_show(shown, first), line->argv[i], shown);
	for (int i = 1; i < line->argc && strcmp(line->argv[i], "--") != 0; i++)
		if (line->argv[i][0] == '-' && line->argv[i][1] != '-' && refuse_single(line, line->argv[i]) != 0)
			return -1;
	bool typo = first[0] != '-' && nearest_mode(line, first) != NULL; /* `serv 7000` is meant for no host named serv */
	if (!typo && hints_line(line->argc - 1, line->argv + 1, line->e) != 0)
		return -1;
	return refuse_mode(line, first);
}

static int read_help(struct line *line)
{
	line->out->what = PARSE_HELP;
	if (line->argc == 2)
		return 0;
	line->out->command = command_of(line->commands, line->argv[2]);
	return line->out->command == NULL ? refuse_mode(line, line->argv[2]) : 0;
}

static int read_completion(struct line *line)
{
	line->out->what = PARSE_COMPLETION;
	if (line->argc != 3)
		return err_set(line->e, ERR_USAGE, 0, "completion: expected one shell: bash, zsh or fish");
	line->out->topic = line->argv[2];
	return 0;
}

int parse_line(struct parsed *out, int argc, char **argv, const struct command *const *commands, struct err *e)
{
	struct line line = { .out = out, .commands = commands, .argc = argc, .at = 2, .argv = argv, .quit = -1, .e = e };
	*out = (struct parsed){ .what = PARSE_HELP };
	if (argc < 2) {
		char modes[128];
		list_commands(commands, NULL, 0, " or ", modes, sizeof modes);
		return err_set(e, ERR_USAGE, 0, "no mode, expected %s; \"sockctl help\" explains", modes);
	}
	const char *first = argv[1];
	if (strcmp(first, "help") == 0)
		return read_help(&line);
	if (parse_is(first, "--help", "-h"))
		return 0;
	if (parse_is(first, "--version", "-V")) {
		out->what = PARSE_VERSION;
		return 0;
	}
	if (strcmp(first, "--dump-options") == 0) { /* for `make man` */
		out->what = PARSE_DUMP;
		return 0;
	}
	if (strcmp(first, "completion") == 0)
		return read_completion(&line);
	out->command = command_of(commands, first);
	return out->command == NULL ? refuse_line(&line) : read_run(&line);
}
