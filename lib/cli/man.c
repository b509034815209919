/* The generated parts of the manual, in mdoc: modes, options by heading, events, exit status. Each begins with a line that names
 * it; man/splice.awk puts them where man/sockctl.1.in has the same line. */
#include "cli/help.h"
#include "base/event.h"
#include "cli/rows.h"

#include <string.h>

enum { LINE_MOST = 74 /* and escapes */ };

/* Hyphens of an option must neither become typographic ones nor be places to break a line. */
static bool names_option(const char *word, size_t n)
{
	size_t quotes = strspn(word, "(\"'");
	return quotes < n && word[quotes] == '-';
}

static void put_word(FILE *out, const char *word, size_t n)
{
	bool option = names_option(word, n);
	for (size_t i = 0; i < n; i++) {
		if (word[i] == '\\')
			fputs("\\e", out);
		else if (word[i] == '-' && option)
			fputs("\\-", out);
		else
			putc(word[i], out);
	}
}

static bool ends_sentence(const char *space)
{
	return strchr(".?!", space[-1]) != NULL && (space[1] == '-' || (space[1] >= 'A' && space[1] <= 'Z'));
}

/* Plain sentences as mdoc text, each on a line of its own or several; a newline begins a paragraph. */
static void put_text(FILE *out, const char *text)
{
	size_t column = 0;
	while (*text != '\0') {
		size_t n = strcspn(text, " \n");
		if (column == 0 && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		put_word(out, text, n);
		column += n;
		text += n;
		if (*text == '\n')
			fputs("\n.Pp\n", out);
		bool breaks = *text == ' ' && (ends_sentence(text) || column + 1 + strcspn(text + 1, " \n") > LINE_MOST);
		if (*text == ' ')
			putc(breaks ? '\n' : ' ', out);
		column = breaks || *text == '\n' ? 0 : column + 1;
		text += *text != '\0';
	}
	putc('\n', out);
}

/* A word behind a macro: two letters could be a macro themselves. */
static void put_arg(FILE *out, const char *macro, const char *word)
{
	fprintf(out, " %s %s%s", macro, strlen(word) == 2 ? "\\&" : "", word);
}

static void put_modes(FILE *out, const struct command *const *commands)
{
	fputs(".\\\" @MODES@\n.Bl -tag -width connect\n", out);
	for (; *commands != NULL; commands++) {
		const struct command *c = *commands;
		fprintf(out, ".It Nm sockctl Cm %s Oo Ar options Oc", c->name);
		put_arg(out, "Ar", c->args);
		putc('\n', out);
		put_text(out, c->man != NULL ? c->man : c->brief);
	}
	fputs(".El\n", out);
}

/* "Modes: serve, echo and chat.", unless every mode has it. */
static void put_havers(FILE *out, const struct command *const *commands, const struct opt_group *group)
{
	size_t all = 0, n = 0, put = 0;
	for (; commands[all] != NULL; all++)
		n += rows_listed(commands[all], group);
	if (n == all)
		return;
	fprintf(out, "%s:", n == 1 ? "Mode" : "Modes");
	for (size_t i = 0; i < all; i++)
		if (rows_listed(commands[i], group)) {
			fprintf(out, "%s%s", put == 0 ? " " : put + 1 < n ? ", " : " and ", commands[i]->name);
			put++;
		}
	fputs(".\n", out);
}

/* The row's default, and each mode that has another. */
static void put_default(FILE *out, const struct command *const *commands, const struct opt_group *group, const struct opt *row)
{
	const char *common = rows_default(NULL, group, row);
	bool begun = common != NULL;
	if (begun)
		fprintf(out, "The default is %s", common);
	for (; *commands != NULL; commands++) {
		const char *own = rows_listed(*commands, group) ? rows_default(*commands, group, row) : NULL;
		if (own == NULL || own == common)
			continue;
		fprintf(out, "%s %s for %s", begun ? "," : "The default is", own, (*commands)->name);
		begun = true;
	}
	if (begun)
		fputs(".\n", out);
}

static void put_option(FILE *out, const struct command *const *commands, const struct opt_group *group, const struct opt *row)
{
	fputs(".It", out);
	if (row->ch != 0)
		fprintf(out, " Fl %c ,", row->ch);
	fputs(" Fl \\-", out);
	for (const char *p = row->name; *p != '\0'; p++)
		fprintf(out, "%s%c", *p == '-' ? "\\" : "", *p);
	if (row->bare != NULL)
		fprintf(out, " Ns Op = Ns Ar %s", row->arg);
	else if (row->arg != NULL)
		put_arg(out, "Ar", row->arg);
	putc('\n', out);
	if (row->man != NULL) {
		put_text(out, row->man);
	} else {
		char text[512];
		snprintf(text, sizeof text, "%s.", row->help);
		if (text[0] >= 'a' && text[0] <= 'z')
			text[0] = (char)(text[0] - 'a' + 'A');
		put_text(out, text);
	}
	put_default(out, commands, group, row);
	put_havers(out, commands, group);
}

static void put_options(FILE *out, const struct command *const *commands)
{
	const struct opt_group *groups[ROWS_GROUPS + 1];
	const char *title = NULL;
	rows_groups(commands, groups);
	fputs(".\\\" @OPTIONS@\n", out);
	for (size_t i = 0; groups[i] != NULL; i++) {
		if (title == NULL || strcmp(groups[i]->title, title) != 0)
			fprintf(out, "%s.Ss %s\n.Bl -tag -width Ds\n", title == NULL ? "" : ".El\n", groups[i]->title);
		title = groups[i]->title;
		for (const struct opt *row = groups[i]->rows; row->name != NULL; row++)
			put_option(out, commands, groups[i], row);
	}
	fputs(title == NULL ? "" : ".El\n", out);
}

/* The sentence, its fields in italics. What is only there for the words of others ("words") is left out. */
static void put_sentence(FILE *out, const char *p)
{
	static const char joined[] = "{words}";
	while (*p != '\0') {
		size_t plain = strcspn(p, "{}");
		if (strncmp(p, joined, sizeof joined - 1) == 0) {
			p += sizeof joined - 1;
			continue;
		}
		fwrite(p, 1, plain, out);
		p += plain;
		if (*p != '\0' && strncmp(p, joined, sizeof joined - 1) != 0)
			fputs(*p++ == '{' ? "\\fI" : "\\fR", out);
	}
	putc('\n', out);
}

/* Rows of one name differ in what people are told, not in what programs are. */
static void put_events(FILE *out)
{
	static const char *const shown[] = { [EV_LOUD] = "Always",
		[EV_BRIEF] = "Without \\-v",
		[EV_ALWAYS] = "Always",
		[EV_VERBOSE] = "With \\-v",
		[EV_DEBUG] = "With \\-vv" };
	fputs(".\\\" @EVENTS@\n.Bl -tag -width Ds\n", out);
	for (int i = 0; i < EV_KINDS; i++) {
		const struct ev_row *row = &ev_rows[i];
		if (i > 0 && strcmp(row->name, ev_rows[i - 1].name) == 0)
			continue;
		fprintf(out, ".It Cm %s Ar %s\n", row->name, row->fields);
		if (row->sentence[0] == '\0')
			continue;
		fprintf(out, "%s: ", shown[row->level]);
		put_sentence(out, row->sentence);
	}
	fputs(".El\n", out);
}

static void put_exit(FILE *out)
{
	fputs(".\\\" @EXIT@\n.Bl -tag -width 128+n -compact\n", out);
	for (const struct err_row *row = err_rows; row->name != NULL; row++) {
		char text[256];
		snprintf(text, sizeof text, "%s: %s", row->name, row->meaning);
		fprintf(out, ".It %d\n", (int)row->cls);
		put_text(out, text);
	}
	fputs(".It 128+n\nsignal: ended by signal n\n.El\n", out);
}

int man_options(FILE *out, const struct command *const *commands)
{
	put_modes(out, commands);
	put_options(out, commands);
	put_events(out);
	put_exit(out);
	return rows_end(out);
}
