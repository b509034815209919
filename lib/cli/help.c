/* Help at the command line: the overview, one mode's options, the version. Lines fit 100 columns. */
#include "cli/help.h"
#include "cli/rows.h"

#include "loop/loop.h"

#include <string.h>

enum { COLUMNS = 100, OPTION_COLUMN = 30 };

static const char *const addresses[][2] = {
	{ "HOST PORT, HOST:PORT, [::1]:PORT", "TCP, or what the options say" },
	{ "PORT", "for servers: every interface" },
	{ "tcp:// udp:// (tcp4:// udp6:// ...)", "with HOST:PORT" },
	{ "unix:PATH, unix-dgram:PATH", "a Unix socket; unix:@NAME is abstract" },
	{ "fd:N, systemd[:NAME]", "an inherited descriptor" },
	{ NULL, NULL },
};

/* Text from this column on, broken between words, further lines indented by `indent`. */
static void put_wrapped(FILE *out, const char *text, size_t column, size_t indent)
{
	while (*text != '\0') {
		size_t word = strcspn(text, " ");
		if (column > indent && column + 1 + word > COLUMNS) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			putc(' ', out);
			column++;
		}
		fwrite(text, 1, word, out);
		column += word;
		text += word + strspn(text + word, " ");
	}
	putc('\n', out);
}

int help_overview(FILE *out, const struct command *const *commands)
{
	fputs("sockctl connects to, stands in for and relays among TCP, UDP and Unix-socket peers.\n\n"
	      "usage: sockctl MODE [OPTIONS] ADDRESS\n\nmodes:\n",
		out);
	for (; *commands != NULL; commands++)
		fprintf(out, "  %-12s%s\n", (*commands)->name, (*commands)->brief);
	fputs("\n  help [MODE]             this text, or the options of a mode\n"
	      "  completion SHELL        completions for bash, zsh or fish\n"
	      "  --version               version, compiler, features\n\naddresses:\n",
		out);
	for (size_t i = 0; addresses[i][0] != NULL; i++)
		fprintf(out, "  %-37s %s\n", addresses[i][0], addresses[i][1]);
	fputs("\nexit status:\n", out);
	for (const struct err_row *row = err_rows; row->name != NULL; row++) {
		int n = fprintf(out, "  %3d  %-9s ", (int)row->cls, row->name);
		put_wrapped(out, row->meaning, (size_t)(n < 0 ? 0 : n), (size_t)(n < 0 ? 0 : n));
	}
	return rows_end(out);
}

static void put_option(FILE *out, const struct opt *row)
{
	char head[128], text[512];
	int n = row->ch != 0 ? snprintf(head, sizeof head, "  -%c, ", row->ch) : snprintf(head, sizeof head, "      ");
	const char *before = row->arg == NULL ? "" : row->bare != NULL ? "[=" : " ", *after = row->bare != NULL ? "]" : "";
	snprintf(head + n, sizeof head - (size_t)n, "--%s%s%s%s", row->name, before, row->arg == NULL ? "" : row->arg, after);
	const char *def = rows_default(row);
	snprintf(text, sizeof text, "%s%s%s%s", row->help, def == NULL ? "" : " (default: ", def == NULL ? "" : def,
		def == NULL ? "" : ")");
	size_t len = strlen(head);
	fputs(head, out);
	if (len >= OPTION_COLUMN)
		putc('\n', out);
	fprintf(out, "%*s", (int)(len >= OPTION_COLUMN ? OPTION_COLUMN : OPTION_COLUMN - len), "");
	put_wrapped(out, text, OPTION_COLUMN, OPTION_COLUMN);
}

int help_mode(FILE *out, const struct command *command)
{
	const struct command *const only[] = { command, NULL };
	const struct opt_group *groups[ROWS_GROUPS + 1];
	const char *title = "";
	rows_groups(only, groups);
	fprintf(out, "usage: sockctl %s [OPTIONS] %s\n\n", command->name, command->args);
	put_wrapped(out, command->brief, 0, 0);
	for (size_t i = 0; groups[i] != NULL; i++) {
		if (strcmp(groups[i]->title, title) != 0)
			fprintf(out, "\n%s:\n", groups[i]->title);
		title = groups[i]->title;
		for (const struct opt *row = groups[i]->rows; row->name != NULL; row++)
			put_option(out, row);
	}
	return rows_end(out);
}

/* Only the compiler's own name: a build must not show when or where it was made. */
#define TEXT(x) #x
#define NUMBER(x) TEXT(x)
#if defined(__clang__)
#define COMPILER "clang " NUMBER(__clang_major__) "." NUMBER(__clang_minor__) "." NUMBER(__clang_patchlevel__)
#elif defined(__GNUC__)
#define COMPILER "gcc " NUMBER(__GNUC__) "." NUMBER(__GNUC_MINOR__) "." NUMBER(__GNUC_PATCHLEVEL__)
#else
#define COMPILER "another compiler"
#endif
#if defined(__GLIBC__)
#define LIBC "glibc " NUMBER(__GLIBC__) "." NUMBER(__GLIBC_MINOR__)
#elif defined(__linux__)
#define LIBC "musl"
#else
#define LIBC "the system's libc"
#endif
#ifdef __linux__
#define FEATURES "tcp udp unix unix-dgram ipv6 abstract"
#else
#define FEATURES "tcp udp unix unix-dgram ipv6"
#endif
#ifdef SOCKCTL_TLS
#define TLS " tls"
#else
#define TLS ""
#endif
#ifdef SYS_SEAM
#define SEAM " seam"
#else
#define SEAM ""
#endif

int help_version(FILE *out)
{
	fputs("sockctl " SOCKCTL_VERSION "\nbuilt with: " COMPILER ", " LIBC "\n", out);
	fprintf(out, "loops: %s\nfeatures: " FEATURES TLS SEAM "\n", loop_backends());
	return rows_end(out);
}
