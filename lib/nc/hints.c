/* What users of nc, ncat and socat type (hints.h), as tables: their word, ours.
 *
 * A whole nc line is translated, so that the answer can be pasted: -l and -z choose the mode, letters that mean the same here are
 * kept, the others become our words, or nothing where sockctl does it by default. A letter that is not in the table means that
 * the line is for another tool. */
#include "nc/hints.h"
#include "nc/hints_internal.h"
#include "nc/nc.h"

#include "base/text.h"
#include "base/url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *prefix, *ours, *forking;
} socat[] = {
	{ "TCP-LISTEN:", "listen", "serve" },
	{ "TCP4-LISTEN:", "listen -4", "serve -4" },
	{ "TCP6-LISTEN:", "listen -6", "serve -6" },
	{ "UDP-LISTEN:", "listen -u", "serve -u" },
	{ "UDP-RECVFROM:", "listen -u", "serve -u" },
	{ "UNIX-LISTEN:", "listen -U", "serve -U" },
	{ "TCP-CONNECT:", "connect", "connect" },
	{ "TCP:", "connect", "connect" },
	{ "TCP4:", "connect -4", "connect -4" },
	{ "TCP6:", "connect -6", "connect -6" },
	{ "UDP:", "connect -u", "connect -u" },
	{ "UDP-CONNECT:", "connect -u", "connect -u" },
	{ "UNIX-CONNECT:", "connect -U", "connect -U" },
	{ NULL, NULL, NULL },
};

struct answer {
	char text[256];
	size_t len;
};

static void hints_join(struct answer *a, const char *word, size_t n, const char *between)
{
	char shown[sizeof a->text];
	text_show(shown, sizeof shown, word, n);
	int len = snprintf(a->text + a->len, sizeof a->text - a->len, "%s%s", between, shown);
	size_t room = sizeof a->text - a->len - 1;
	a->len += len < 0 ? 0 : (size_t)len < room ? (size_t)len : room;
}

static void add_text(struct answer *a, const char *word)
{
	hints_join(a, word, strlen(word), " ");
}

static int refuse_line(
	const char *typed, const char *whose, const char *mode, const struct answer *rest, const char *more, struct err *e)
{
	char advice[360];
	snprintf(advice, sizeof advice, "use \"sockctl %s%s\"%s", mode, rest->text, more);
	return hints_refuse(typed, whose, advice, e);
}

/* Advice for a letter that nc has not: -m is ncat's, too, where it is the number of clients. */
static const struct nc_letter ncat_m = { 'm', "N", "--max", NULL, "use --max", NULL, NULL };

static const struct nc_letter *letter_of(char ch)
{
	return ch == ncat_m.ch ? &ncat_m : nc_letter(ch);
}

/* Advice that needs more than one word. */
static const char untold[] = "FPSVWXZhrtx";

struct line {
	struct answer options, words;
	const char *port; /* of -p: a server's own port, or a client's source port */
	bool listens, keeps;
};

/* One word of letters, "-lvnp"; *at moves to a value in the next word. */
static int hints_translate(struct line *line, int argc, char *const *argv, int *at)
{
	for (const char *p = argv[*at] + 1; *p != '\0'; p++) {
		const struct nc_letter *row = letter_of(*p);
		if (row == NULL || strchr(untold, *p) != NULL)
			return -1;
		line->listens = line->listens || *p == 'l';
		line->keeps = line->keeps || *p == 'k';
		if (row->ours != NULL || row->sockopt != NULL)
			add_text(&line->options, row->ours != NULL ? row->ours : "-o");
		if (row->sockopt != NULL)
			add_text(&line->options, row->sockopt);
		if (row->arg == NULL)
			continue;
		const char *value = p[1] != '\0' ? p + 1 : *at + 1 < argc ? argv[++*at] : NULL;
		if (value == NULL || (strchr("ec", *p) != NULL && value == p + 1 && p != argv[*at] + 1))
			return -1;
		if (*p == 'p')
			line->port = value;
		else if (row->ours != NULL || row->sockopt != NULL)
			hints_join(&line->options, value, strlen(value), row->ours != NULL ? " " : "=");
		return 0;
	}
	return 0;
}

static int letters_line(int argc, char *const *argv, struct err *e)
{
	struct line line = { .port = NULL };
	for (int i = 0; i < argc; i++) {
		bool option = argv[i][0] == '-' && argv[i][1] != '\0';
		if (!option)
			add_text(&line.words, argv[i]);
		else if (argv[i][1] == '-' || hints_translate(&line, argc, argv, &i) != 0)
			return 0;
	}
	if (line.port != NULL && !line.listens)
		add_text(&line.options, "-s :");
	if (line.port != NULL)
		hints_join(&line.options, line.port, strlen(line.port), line.listens ? " " : "");
	hints_join(&line.options, line.words.text, line.words.len, "");
	if (line.words.len == 0 && line.port == NULL)
		add_text(&line.options, line.listens ? "PORT" : "HOST PORT");
	const char *more = line.keeps ? ", or \"sockctl serve\" for many at once" : "";
	return refuse_line(argv[0], "nc's", line.listens ? "listen" : "connect", &line.options, more, e);
}

static bool is_number(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* HOST:PORT or a URL without a mode. */
static int refuse_bare(const char *word, struct err *e)
{
	struct foreign_url theirs;
	char shown[128], ours[200];
	bool foreign = url_foreign(&theirs, word);
	const char *colon = strrchr(word, ':'), *use = foreign ? theirs.ours : word;
	if (!foreign && strstr(word, "://") == NULL && (colon == NULL || colon == word || !is_number(colon + 1)))
		return 0;
	char hidden[128];
	text_show(shown, sizeof shown, hidden, redact_word(hidden, sizeof hidden, word));
	text_show(ours, sizeof ours, use, strlen(use));
	return err_set(e, ERR_USAGE, 0, "no mode before %s: use \"sockctl connect %s\"", shown, foreign ? ours : shown);
}

static bool says_nothing(const char *letters)
{
	return letters[strspn(letters, "46nquvx")] == '\0';
}

/* -v, -vv, -4: letters alone, which say nothing of what to do. */
static int refuse_letters(const char *word, struct err *e)
{
	char shown[32];
	text_show(shown, sizeof shown, word, strlen(word));
	return err_set(e, ERR_USAGE, 0,
		"no mode with %s: \"sockctl --version\" shows the version, \"sockctl connect %s HOST PORT\" connects", shown,
		shown);
}

int hints_line(int argc, char *const *argv, struct err *e)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (hints_address(argv[i], e) != 0 || hints_word(argv[i], e) != 0)
			return -1;
	if (argv[0][0] == '-' && argv[0][1] != '\0' && argv[0][1] != '-')
		return argc == 1 && says_nothing(argv[0] + 1) ? refuse_letters(argv[0], e) : letters_line(argc, argv, e);
	if (argc != 2 || !is_number(argv[1]))
		return refuse_bare(argv[0], e);
	char host[128];
	text_show(host, sizeof host, argv[0], strlen(argv[0]));
	return err_set(e, ERR_USAGE, 0, "no mode before %s: use \"sockctl connect %s %s\"", host, host, argv[1]);
}

int hints_address(const char *word, struct err *e)
{
	for (size_t i = 0; socat[i].prefix != NULL; i++) {
		size_t n = strlen(socat[i].prefix);
		if (strncasecmp(word, socat[i].prefix, n) != 0 || word[n] == '/')
			continue;
		struct answer rest = { 0 };
		const char *options = word + n + strcspn(word + n, ",");
		hints_join(&rest, word + n, (size_t)(options - word) - n, " ");
		const char *mode = strstr(options, ",fork") != NULL ? socat[i].forking : socat[i].ours;
		return refuse_line(word, "socat's", mode, &rest, "", e);
	}
	return 0;
}

int hints_option(const struct command *mode, const char *typed, struct err *e)
{
	if (strcmp(typed, "-p") == 0 && strcmp(mode->name, "connect") == 0)
		return hints_refuse(typed, "nc's", "use --source", e);
	const struct nc_letter *row = typed[1] == '-' ? NULL : letter_of(typed[1]);
	if (row != NULL && row->advice != NULL)
		return hints_refuse(typed, "nc's", row->advice, e);
	return hints_word(typed, e);
}

int hints_quit(const char *number, struct err *e)
{
	return err_set(e, ERR_USAGE, 0,
		"-q %.20s is nc's word: the end of stdin is passed on by itself (--half-close), --quit-after %.20ss ends the "
		"connection so long after it, and -q is --quiet",
		number, number);
}
