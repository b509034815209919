#include "tests/sim/talk_draft.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static uint32_t upto(struct talk_draft *d, uint32_t n)
{
	return dice_roll(d->dice, n);
}

static const char *one_of(struct talk_draft *d, const char *const *words, uint32_t n)
{
	return words[upto(d, n)];
}
#define ONE_OF(d, ...)                                                                                                           \
	one_of((d), (const char *const[]){ __VA_ARGS__ },                                                                        \
		(uint32_t)(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *)))

static __attribute__((format(printf, 2, 3))) void add(struct talk_draft *d, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(d->text + d->used, TALK_DRAFT_TEXT - d->used, fmt, ap);
	va_end(ap);
	d->used += (size_t)n < TALK_DRAFT_TEXT - d->used ? (size_t)n : TALK_DRAFT_TEXT - d->used - 1;
}

static void add_literal(struct talk_draft *d)
{
	add(d, "%s",
		ONE_OF(d, "\"a\"", "\"ab\"", "\"ba\"", "\"b\"", "\"bb\"", "\"\"", "\"aba\"", "x\"61 62\" \"a\"", "2*\"a\"",
			"\"A\"", "\"\\n\""));
}

/* Mostly one that may stand there; what is refused is a test of the parser. */
static void add_pattern(struct talk_draft *d, bool rule)
{
	uint32_t kind = upto(d, 40);
	if (kind == 0 || (!d->raw && kind < 6)) {
		add(d, "%s",
			ONE_OF(d, "any", "!any", "~\"a+\"", "~\"^(a*)b\"", "~i\"(A)(B)?\"", "!~\"a\"", "! *\"ab\"", "!\"a\""));
	} else if (kind < 10) {
		add(d, "%u bytes", upto(d, 4) + (d->raw ? 1 : 0));
	} else {
		add(d, "%s", kind < 20 && !(d->raw && rule) ? "*" : kind < 28 ? "^" : "");
		add(d, "%s", upto(d, 4) == 0 ? "i" : "");
		add_literal(d);
	}
}

static void add_step(struct talk_draft *d, bool rule)
{
	switch (upto(d, 12)) {
	case 0:
	case 1:
	case 2:
		add(d, " send %s", d->matched ? ONE_OF(d, "\"<$0>\"", "\"x\"", "2*\"$0\"", "\"\"") : "\"hi\"");
		break;
	case 3:
		add(d, " sendraw 3*\"y\"");
		break;
	case 4:
	case 5:
		add(d, " %s ", ONE_OF(d, "expect", "skip"));
		add_pattern(d, false);
		add(d, "%s", upto(d, 3) == 0 && !d->untimed ? " within 70ms" : "");
		d->matched = true;
		break;
	case 6:
		add(d, " wait %ums", upto(d, 3) * 40);
		break;
	case 7:
		if (upto(d, 4) == 0 && d->tls && !d->dgram)
			add(d, " starttls");
		add(d, " log %s", d->matched ? "\"$0\"" : "\"l\"");
		break;
	default:
		add(d, "%s", rule ? " log \"r\"" : " send \"s\"");
	}
}

static void add_steps(struct talk_draft *d, bool rule)
{
	for (uint32_t n = upto(d, 3) + 1; n > 0; n--)
		add_step(d, rule);
	if (upto(d, 6) == 0)
		add(d, " %s", ONE_OF(d, "close", "rst", "hang", "ignore", "shut", "fail \"f\""));
	add(d, "\n");
}

static void add_rule(struct talk_draft *d)
{
	uint32_t kind = upto(d, 12);
	kind -= kind == 2 && d->untimed; /* an end in place of an idle time */
	d->matched = kind != 1 && kind != 2;
	if (kind == 0) {
		add(d, "else");
	} else {
		add(d, "%s ", ONE_OF(d, "on", "on", "on", "must"));
		if (kind == 1)
			add(d, "eof");
		else if (kind == 2)
			add(d, "idle %ums", upto(d, 3) * 35 + 35);
		else
			add_pattern(d, true);
		if (upto(d, 4) == 0)
			add(d, " x%u", upto(d, 3) + 1);
	}
	add_steps(d, true);
}

void talk_draft(struct talk_draft *d)
{
	d->used = 0;
	d->matched = false;
	const char *frame = ONE_OF(d, "raw", "raw", "raw", "line", "line,max=7", "crlf", "nul", "netstring,max=12", "fixed=2",
		"u8,max=9", "u16le,incl,max=20", "u32be");
	d->raw = strcmp(frame, "raw") == 0;
	add(d, "frame %s\ntimeout %s\n", frame, d->untimed ? "10h" : "300ms");
	if (upto(d, 2) == 0) {
		d->matched = false;
		add_steps(d, false);
	}
	for (uint32_t n = upto(d, 5); n > 0; n--)
		add_rule(d);
}

size_t talk_draft_input(struct talk_draft *d, char in[TALK_DRAFT_IN])
{
	static const char alphabet[] = "aaaabbbbA\n\n\r\n\0\0\1\2\3"
				       "3:,";
	size_t n = upto(d, TALK_DRAFT_IN - 1);
	for (size_t i = 0; i < n; i++)
		in[i] = upto(d, 25) == 0 ? TALK_DRAFT_LATER : alphabet[upto(d, sizeof alphabet - 1)];
	if (upto(d, 2) == 0)
		in[n++] = TALK_DRAFT_END;
	return n;
}
