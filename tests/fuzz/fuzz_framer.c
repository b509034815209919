/* Frames of every kind: the first line is the spec, the rest what came. A frame is found where it is however the bytes come in,
 * lies within them, and what is framed here is read there. */
#include "tests/fuzz/fuzz.h"

#include "codec/framer.h"

#include <stdlib.h>
#include <string.h>

enum { SPEC = 64 };

/* As it comes: the same, byte by byte. */
static void check_growing(const struct framer *f, const uint8_t *p, size_t n, ssize_t whole, size_t at, size_t len)
{
	size_t seen = 0, a = 0, l = 0, have = 0;
	ssize_t used = FRAMER_PARTIAL;
	if (f->kind == FRAME_RAW) /* whatever is there */
		return;
	while (used == FRAMER_PARTIAL && have < n)
		used = framer_cut_on(f, p, ++have, &seen, &a, &l);
	fuzz_check(used == whole, "the same bytes in pieces are another frame");
	fuzz_check(used <= 0 || (a == at && l == len && have == (size_t)used), "a frame is not found as soon as it is there");
}

static void check_dressed(const struct framer *f, const uint8_t *payload, size_t len)
{
	unsigned char head[FRAMER_EDGE], tail[FRAMER_EDGE], *all;
	size_t head_n, tail_n, at, n;
	if (f->kind == FRAME_LINE && len > 0 && payload[len - 1] == '\r') /* belongs to the LF, once there is one behind it */
		return;
	if (framer_dress(f, len, head, &head_n, tail, &tail_n) != 0)
		return;
	fuzz_check(head_n <= FRAMER_EDGE && tail_n <= FRAMER_EDGE, "what bounds a frame is too long");
	if ((all = malloc(head_n + len + tail_n + 1)) == NULL)
		abort();
	memcpy(all, head, head_n);
	if (len > 0)
		memcpy(all + head_n, payload, len);
	memcpy(all + head_n + len, tail, tail_n);
	ssize_t used = framer_cut(f, all, head_n + len + tail_n, &at, &n);
	if (f->kind != FRAME_RAW || len > 0)
		fuzz_check(used == (ssize_t)(head_n + len + tail_n) && n == len && at == head_n,
			"what was framed is not read again");
	free(all);
}

static void run(const uint8_t *bytes, size_t n)
{
	struct framer f;
	struct err e = { 0 };
	char spec[SPEC], words[FRAMER_WORDS];
	size_t from = 0, at = 0, len = 0;
	if (!fuzz_word(bytes, n, &from, '\n', spec, sizeof spec))
		return;
	if (framer_parse(&f, spec, &e) != 0) {
		fuzz_check_shown(e.what);
		return;
	}
	const uint8_t *p = bytes + (from < n ? from : n);
	size_t left = n - (size_t)(p - bytes);
	for (int frames = 0; frames < 64 && left > 0; frames++) {
		ssize_t used = framer_cut(&f, p, left, &at, &len);
		check_growing(&f, p, left, used, at, len);
		if (used == FRAMER_BAD)
			fuzz_check_shown(framer_fault(&f, p, left, words));
		if (used <= 0)
			break;
		fuzz_check((size_t)used <= left && at + len <= (size_t)used, "a frame is longer than its bytes");
		fuzz_check(f.kind == FRAME_RAW || len <= f.most, "a frame is over the limit");
		check_dressed(&f, p + at, len);
		p += used;
		left -= (size_t)used;
	}
}

const struct fuzz fuzz_framer = { .name = "framer", .run = run };
