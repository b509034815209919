/* A line that a user typed, at a chat or at the console: what is understood of it lies within it. */
#include "tests/fuzz/fuzz.h"

#include "chat/chat.h"
#include "services/console_command.h"

#include <stdlib.h>
#include <string.h>

static void within(const char *line, size_t n, const char *p, size_t len)
{
	fuzz_check(len == 0 || (p >= line && p + len <= line + n), "a word of a line is not in it");
}

static void run(const uint8_t *bytes, size_t n)
{
	char *line = malloc(n + 1), *out = malloc(n + VBNET_AROUND);
	if (line == NULL || out == NULL)
		abort();
	if (n > 0)
		memcpy(line, bytes, n);
	struct chat_command chat = { 0 };
	chat_command_parse(line, n, &chat);
	within(line, n, chat.who, chat.who_len);
	within(line, n, chat.text, chat.text_len);
	fuzz_check(
		chat.verb != CHAT_NICK || !chat_nick_ok(chat.who, chat.who_len) || chat.who_len <= CHAT_NICK_MOST, "a long nick");
	struct console_command console = { 0 };
	console_command_parse(line, n, &console);
	within(line, n, console.text, console.text_len);
	fuzz_check((console.verb != CONSOLE_ONE && console.verb != CONSOLE_KICK) || console.id > 0, "a client without a number");
	fuzz_check(vbnet_message(out, 7, line, n) <= n + VBNET_AROUND, "a message is longer than it may be");
	free(out);
	free(line);
}

const struct fuzz fuzz_line = { .name = "line", .run = run };
