/* Lines that chat clients type, and valid names. */
#include "chat/chat.h"

#include <string.h>
#include <strings.h>

static const struct {
	const char *word;
	enum chat_verb verb;
} verbs[] = {
	{ "nick", CHAT_NICK },
	{ "who", CHAT_WHO },
	{ "msg", CHAT_MSG },
	{ "me", CHAT_ME },
	{ "quit", CHAT_QUIT },
	{ "help", CHAT_HELP },
};

/* A word and the blanks after it; the rest moves on. */
static size_t take_word(const char **line, size_t *n)
{
	size_t len = 0;
	while (len < *n && (*line)[len] != ' ')
		len++;
	size_t past = len;
	while (past < *n && (*line)[past] == ' ')
		past++;
	*line += past;
	*n -= past;
	return len;
}

void chat_command_parse(const char *line, size_t n, struct chat_command *out)
{
	*out = (struct chat_command){ .verb = CHAT_SAY, .text = line, .text_len = n };
	if (n == 0 || line[0] != '/')
		return;
	out->text++;
	out->text_len--;
	if (n > 1 && line[1] == '/')
		return;
	out->verb = CHAT_UNKNOWN;
	out->who = out->text;
	out->who_len = take_word(&out->text, &out->text_len);
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (out->who_len == strlen(verbs[i].word) && memcmp(out->who, verbs[i].word, out->who_len) == 0)
			out->verb = verbs[i].verb;
	if (out->verb == CHAT_NICK || out->verb == CHAT_MSG) {
		out->who = out->text;
		out->who_len = take_word(&out->text, &out->text_len);
	}
}

/* By hand, because isalnum depends on the locale. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool chat_nick_ok(const char *nick, size_t n)
{
	static const char reserved[] = "server";
	if (n == 0 || n > CHAT_NICK_MOST || is_digit(nick[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_letter(nick[i]) && !is_digit(nick[i]) && nick[i] != '_' && nick[i] != '-')
			return false;
	return n != sizeof reserved - 1 || strncasecmp(nick, reserved, n) != 0;
}
