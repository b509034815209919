/* What people may type: nicks, the chat's and the console's commands, and the messages of the vbnet wire. Lines end where memory
 * ends. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "guard.h"
#include "chat/chat.h"
#include "services/console_command.h"

#include <string.h>

static struct guard guard;

static void assert_text(const char *got, size_t n, const char *want, const char *of)
{
	if (want == NULL)
		want = "";
	if (n != strlen(want) || (n > 0 && memcmp(got, want, n) != 0))
		fail_msg("%s: got \"%.*s\", want \"%s\"", of, (int)n, got, want);
}

static void nicks(void **state)
{
	static const char *const good[] = { "a", "ana", "_", "-x", "A-1_b", "abcdefghijklmnopqrst", "servers", "serve" };
	static const char *const bad[] = { "", "1a", "a b", "a.b", "\xc3\xb1", "abcdefghijklmnopqrstu", "server", "SERVER",
		"SerVer", "a\n", "<a>", "*" };
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		if (!chat_nick_ok(guard_bytes(&guard, good[i], strlen(good[i])), strlen(good[i])))
			fail_msg("%s should be a nick", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (chat_nick_ok(guard_bytes(&guard, bad[i], strlen(bad[i])), strlen(bad[i])))
			fail_msg("%s should not be a nick", bad[i]);
	assert_false(chat_nick_ok("a\0b", 3));
}

static void chat_commands(void **state)
{
	static const struct {
		const char *line;
		enum chat_verb verb;
		const char *who, *text;
	} rows[] = {
		{ "", CHAT_SAY, NULL, "" },
		{ "hello", CHAT_SAY, NULL, "hello" },
		{ " /nick", CHAT_SAY, NULL, " /nick" },
		{ "//", CHAT_SAY, NULL, "/" },
		{ "//who", CHAT_SAY, NULL, "/who" },
		{ "///", CHAT_SAY, NULL, "//" },
		{ "/", CHAT_UNKNOWN, "", "" },
		{ "/nick", CHAT_NICK, "", "" },
		{ "/nick ana", CHAT_NICK, "ana", "" },
		{ "/nick  ana ", CHAT_NICK, "ana", "" },
		{ "/nick ana maria", CHAT_NICK, "ana", "maria" },
		{ "/nickana", CHAT_UNKNOWN, "nickana", "" },
		{ "/who", CHAT_WHO, "who", "" },
		{ "/who now", CHAT_WHO, "who", "now" },
		{ "/msg ana hello  you", CHAT_MSG, "ana", "hello  you" },
		{ "/msg ana", CHAT_MSG, "ana", "" },
		{ "/msg", CHAT_MSG, "", "" },
		{ "/me waves", CHAT_ME, "me", "waves" },
		{ "/quit", CHAT_QUIT, "quit", "" },
		{ "/help", CHAT_HELP, "help", "" },
		{ "/Quit", CHAT_UNKNOWN, "Quit", "" },
		{ "/qui", CHAT_UNKNOWN, "qui", "" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct chat_command cmd;
		size_t n = strlen(rows[i].line);
		chat_command_parse(guard_bytes(&guard, rows[i].line, n), n, &cmd);
		if (cmd.verb != rows[i].verb)
			fail_msg("%s: verb %d, want %d", rows[i].line, cmd.verb, rows[i].verb);
		assert_text(cmd.who, cmd.who_len, rows[i].who, rows[i].line);
		assert_text(cmd.text, cmd.text_len, rows[i].text, rows[i].line);
	}
}

static void console_commands(void **state)
{
	static const struct {
		const char *line;
		enum console_verb verb;
		uint32_t id;
		const char *text;
	} rows[] = {
		{ "hello\n", CONSOLE_ALL, 0, "hello\n" },
		{ "", CONSOLE_ALL, 0, "" },
		{ "\n", CONSOLE_ALL, 0, "\n" },
		{ "no newline", CONSOLE_ALL, 0, "no newline" },
		{ "@3 hello\n", CONSOLE_ONE, 3, "hello\n" },
		{ "@3  two\r\n", CONSOLE_ONE, 3, " two\r\n" },
		{ "@3\n", CONSOLE_ONE, 3, "\n" },
		{ "@3", CONSOLE_ONE, 3, "" },
		{ "@4294967295 x", CONSOLE_ONE, 4294967295U, "x" },
		{ "@4294967296 x", CONSOLE_UNKNOWN, 0, NULL },
		{ "@99999999999999999999999 x", CONSOLE_UNKNOWN, 0, NULL },
		{ "@0 x\n", CONSOLE_UNKNOWN, 0, NULL },
		{ "@ x\n", CONSOLE_UNKNOWN, 0, NULL },
		{ "@3x\n", CONSOLE_UNKNOWN, 0, NULL },
		{ "@\n", CONSOLE_UNKNOWN, 0, NULL },
		{ "@@3 x\n", CONSOLE_ALL, 0, "@3 x\n" },
		{ "@@\n", CONSOLE_ALL, 0, "@\n" },
		{ "//who\n", CONSOLE_ALL, 0, "/who\n" },
		{ "/who\n", CONSOLE_WHO, 0, NULL },
		{ "/who\r\n", CONSOLE_WHO, 0, NULL },
		{ "/who", CONSOLE_WHO, 0, NULL },
		{ "/who x\n", CONSOLE_UNKNOWN, 0, NULL },
		{ "/kick 12\n", CONSOLE_KICK, 12, NULL },
		{ "/kick 12", CONSOLE_KICK, 12, NULL },
		{ "/kick 12 13\n", CONSOLE_UNKNOWN, 0, NULL },
		{ "/kick \n", CONSOLE_UNKNOWN, 0, NULL },
		{ "/kick\n", CONSOLE_UNKNOWN, 0, NULL },
		{ "/kick -1\n", CONSOLE_UNKNOWN, 0, NULL },
		{ "/\n", CONSOLE_UNKNOWN, 0, NULL },
		{ " @3 x\n", CONSOLE_ALL, 0, " @3 x\n" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct console_command cmd;
		size_t n = strlen(rows[i].line);
		console_command_parse(guard_bytes(&guard, rows[i].line, n), n, &cmd);
		if (cmd.verb != rows[i].verb || cmd.id != rows[i].id)
			fail_msg("%s: verb %d of %lu", rows[i].line, cmd.verb, (unsigned long)cmd.id);
		if (rows[i].text != NULL)
			assert_text(cmd.text, cmd.text_len, rows[i].text, rows[i].line);
	}
}

static void vbnet_words(void **state)
{
	static const struct {
		const char *in;
		uint32_t id;
		const char *out;
	} rows[] = {
		{ "hola", 3, "\r\n3  DICE :hola\r\n" },
		{ "hola\n", 3, "\r\n3  DICE :hola\r\n" },
		{ "hola\r\n", 3, "\r\n3  DICE :hola\r\n" },
		{ "hola\n\n", 3, "\r\n3  DICE :hola\n\r\n" },
		{ "a\nb\n", 12, "\r\n12  DICE :a\nb\r\n" },
		{ "", 4294967295U, "\r\n4294967295  DICE :\r\n" },
		{ "\r\n", 1, "\r\n1  DICE :\r\n" },
	};
	char out[64];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t n = strlen(rows[i].in), len = vbnet_message(out, rows[i].id, guard_bytes(&guard, rows[i].in, n), n);
		assert_true(len <= n + VBNET_AROUND);
		assert_text(out, len, rows[i].out, rows[i].in);
	}
	assert_text(out, vbnet_entry(out, 7), "U.[ID] - 7\r\n", "roster");
	assert_text(out, vbnet_entry(out, 4294967295U), "U.[ID] - 4294967295\r\n", "roster");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nicks),
		cmocka_unit_test(chat_commands),
		cmocka_unit_test(console_commands),
		cmocka_unit_test(vbnet_words),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	guard_free(&guard);
	return rc;
}
