/* How a framing is written: NAME[,max=SIZE][,incl]. */
#include "codec/framer.h"

#include "base/num.h"

#include <string.h>

enum { WORD_MOST = 24, MOST_BYTES = 1 << 30 };

static const char *const names[] = { [FRAME_RAW] = "raw",
	[FRAME_LINE] = "line",
	[FRAME_CRLF] = "crlf",
	[FRAME_NUL] = "nul",
	[FRAME_NETSTRING] = "netstring",
	[FRAME_FIXED] = "fixed",
	[FRAME_U8] = "u8",
	[FRAME_U16BE] = "u16be",
	[FRAME_U16LE] = "u16le",
	[FRAME_U32BE] = "u32be",
	[FRAME_U32LE] = "u32le" };

/* "max=64k": if it is this word, the text after its "="; NULL: another word, or no "=". */
static const char *framer_spec_value(const char *word, const char *name)
{
	size_t n = strlen(name);
	return strncmp(word, name, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

static int framer_spec_bytes(const char *what, const char *text, size_t *out, struct err *e)
{
	int64_t n = 0;
	if (num_size(text, &n, e) != 0)
		return err_prefix(e, "%s", what);
	if (n < 1 || n > MOST_BYTES)
		return err_set(e, ERR_USAGE, 0, "%s: expected a size from 1 to 1G, got \"%s\"", what, text);
	*out = (size_t)n;
	return 0;
}

static int framer_spec_kind(struct framer *f, const char *word, struct err *e)
{
	const char *n = framer_spec_value(word, names[FRAME_FIXED]);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		f->kind = (enum frame_kind)i;
		if (strcmp(word, names[i]) == 0 && f->kind != FRAME_FIXED)
			return 0;
	}
	f->kind = FRAME_FIXED;
	if (n != NULL)
		return framer_spec_bytes("fixed", n, &f->most, e);
	return err_set(e, ERR_USAGE, 0,
		"expected raw, line, crlf, nul, netstring, fixed=N, u8, u16be, u16le, u32be or u32le, got \"%s\"", word);
}

static int framer_spec_detail(struct framer *f, const char *word, struct err *e)
{
	const char *max = framer_spec_value(word, "max"), *name = names[f->kind];
	if (max != NULL && f->kind != FRAME_RAW && f->kind != FRAME_FIXED)
		return framer_spec_bytes("max", max, &f->most, e);
	if (strcmp(word, "incl") == 0 && f->kind >= FRAME_U8) {
		f->incl = true;
		return 0;
	}
	if (max != NULL || strcmp(word, "incl") == 0)
		return err_set(e, ERR_USAGE, 0, "%s: \"%s\" has no meaning there", name, word);
	return err_set(e, ERR_USAGE, 0, "%s: expected max=SIZE or incl, got \"%s\"", name, word);
}

int framer_parse(struct framer *f, const char *spec, struct err *e)
{
	char word[WORD_MOST];
	struct framer got = framer_line;
	for (const char *at = spec, *end; at != NULL; at = *end == ',' ? end + 1 : NULL) {
		size_t n = strcspn(at, ",");
		end = at + n;
		if (n >= sizeof word)
			n = sizeof word - 1;
		memcpy(word, at, n);
		word[n] = '\0';
		if ((at == spec ? framer_spec_kind(&got, word, e) : framer_spec_detail(&got, word, e)) != 0)
			return -1;
	}
	*f = got;
	return 0;
}
