/* The command line as one text that a shell would read as the same words (args.h). */
#include "cli/args.h"

#include "base/url.h"

#include <stdbool.h>
#include <string.h>

enum { WORD_MOST = 2048 };

struct text {
	char *at, *end;
};

static void args_add(struct text *t, char c)
{
	if (t->at < t->end)
		*t->at++ = c;
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("_@%+=:,./-", c) != NULL);
}

static bool needs_quotes(const char *word)
{
	const char *p = word;
	while (is_plain(*p))
		p++;
	return *p != '\0' || p == word;
}

static void add_word(struct text *t, const char *word)
{
	char shown[WORD_MOST];
	redact_word(shown, sizeof shown, word);
	bool quotes = needs_quotes(shown);
	if (quotes)
		args_add(t, '\'');
	for (const char *p = shown; *p != '\0'; p++) {
		args_add(t, *p);
		for (const char *q = quotes && *p == '\'' ? "\\''" : ""; *q != '\0'; q++)
			args_add(t, *q);
	}
	if (quotes)
		args_add(t, '\'');
}

void args_text(char *out, size_t cap, int argc, char *const argv[])
{
	struct text t = { out, out + cap - 1 };
	for (int i = 0; i < argc; i++) {
		if (i > 0)
			args_add(&t, ' ');
		add_word(&t, argv[i]);
	}
	*t.at = '\0';
}
