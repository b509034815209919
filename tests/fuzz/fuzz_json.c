/* An event of any kind, whose texts are anything: one strict line of JSON, and one line for people. */
#include "tests/fuzz/fuzz.h"

#include "report/report.h"
#include "tests/unit/strict.h"

#include <string.h>

enum { FIELDS = 16, TEXT = 5000 };

/* The keys of the kind, each with a value of a kind that the bytes choose. */
static size_t fill(struct ev_field *fields, char keys[256], const char *names, const uint8_t *bytes, size_t n, char text[TEXT])
{
	size_t count = 0, at = 0;
	strncat(keys, names, 255);
	for (char *key = strtok(keys, " "); key != NULL && count < FIELDS; key = strtok(NULL, " ")) {
		uint8_t pick = at < n ? bytes[at++] : 0;
		fields[count].key = key;
		fields[count].is = (enum ev_value)(pick % (EV_IS_BYTES + 1));
		fields[count].num = (int64_t)((uint64_t)pick << (pick % 57));
		fields[count].text = pick % 11 == 0 ? NULL : text;
		if (fields[count].is == EV_IS_NUMS || fields[count].is == EV_IS_BYTES)
			fields[count].text = "80, 81";
		if (fields[count].is == EV_IS_BYTES)
			fields[count].num = 6;
		count++;
	}
	size_t len = n - at < TEXT - 1 ? n - at : TEXT - 1;
	memset(text, 0, TEXT);
	if (len > 0)
		memcpy(text, bytes + at, len);
	return count;
}

static void run(const uint8_t *bytes, size_t n)
{
	static char text[TEXT], line[REPORT_LINE + 1];
	char keys[256] = "", words[REPORT_LINE];
	struct ev_field fields[FIELDS + 1] = { { 0 } };
	if (n < 2)
		return;
	enum ev_kind kind = (enum ev_kind)(bytes[0] % EV_KINDS);
	fill(fields, keys, ev_rows[kind].fields, bytes + 2, n - 2, text);
	const struct event ev = { .kind = kind, .conn = bytes[1], .fields = fields };
	const struct report_stamp stamp = { .seq = bytes[1], .us = 42 };
	size_t len = report_json(line, &ev, &stamp);
	fuzz_check(len >= 2 && len <= REPORT_LINE, "a line of a wrong length");
	fuzz_check(strict_line(line, len) == NULL, "no strict JSON");
	size_t shown = report_text(words, sizeof words, &ev, true);
	fuzz_check(shown < sizeof words && strlen(words) <= shown, "a sentence of a wrong length");
	fuzz_check_shown(words);
}

const struct fuzz fuzz_json = { .name = "json", .run = run };
