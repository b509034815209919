/* The console's commands (console_command.h). */
#include "services/console_command.h"

#include <stdbool.h>
#include <string.h>

/* A client's number at the start of p, followed by a blank or by nothing. Returns the bytes it takes, 0 if it is none. */
static size_t read_id(const char *p, size_t n, uint32_t *id)
{
	uint64_t sum = 0;
	size_t i = 0;
	for (; i < n && p[i] >= '0' && p[i] <= '9' && sum <= UINT32_MAX; i++)
		sum = sum * 10 + (uint64_t)(p[i] - '0');
	*id = (uint32_t)sum;
	return sum == 0 || sum > UINT32_MAX || (i < n && p[i] != ' ') ? 0 : i;
}

static size_t without_newline(const char *line, size_t n)
{
	if (n > 0 && line[n - 1] == '\n')
		n--;
	return n > 0 && line[n - 1] == '\r' ? n - 1 : n;
}

static bool is_word(const char *line, size_t n, const char *word)
{
	return n == strlen(word) && memcmp(line, word, n) == 0;
}

static void parse_at(const char *line, size_t n, size_t bare, struct console_command *out)
{
	uint32_t id;
	size_t digits = read_id(line + 1, bare - 1, &id), at = 1 + digits;
	if (digits == 0)
		return;
	at += at < bare; /* the one blank behind the number */
	*out = (struct console_command){ .verb = CONSOLE_ONE, .id = id, .text = line + at, .text_len = n - at };
}

static void parse_slash(const char *line, size_t bare, struct console_command *out)
{
	static const char kick[] = "/kick ";
	size_t head = sizeof kick - 1;
	uint32_t id;
	if (is_word(line, bare, "/who")) {
		out->verb = CONSOLE_WHO;
	} else if (bare > head && memcmp(line, kick, head) == 0 && read_id(line + head, bare - head, &id) == bare - head) {
		out->verb = CONSOLE_KICK;
		out->id = id;
	}
}

void console_command_parse(const char *line, size_t n, struct console_command *out)
{
	size_t bare = without_newline(line, n);
	bool sign = bare > 0 && (line[0] == '@' || line[0] == '/'), twice = sign && bare > 1 && line[1] == line[0];
	*out = (struct console_command){ .verb = CONSOLE_UNKNOWN, .text = line, .text_len = n };
	if (!sign || twice) {
		out->verb = CONSOLE_ALL;
		out->text += twice;
		out->text_len -= twice;
	} else if (line[0] == '@') {
		parse_at(line, n, bare, out);
	} else {
		parse_slash(line, bare, out);
	}
}
