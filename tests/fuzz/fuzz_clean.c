/* What a terminal is given of what a peer sent: harmless, and the same however the bytes are cut. The first byte chooses the
 * cuts. */
#include "tests/fuzz/fuzz.h"

#include "base/text.h"
#include "codec/filter.h"

#include <stdlib.h>
#include <string.h>

static size_t convert(filter_fn *fn, const uint8_t *in, size_t n, size_t piece, unsigned char *out, size_t cap)
{
	uint64_t state = 0;
	size_t put = 0, at = 0;
	do {
		size_t len = n - at < piece ? n - at : piece, used = 0;
		bool last = at + len == n;
		put += fn(&state, in + at, len, &used, out + put, cap - put, last);
		fuzz_check(used == len && put <= cap, "not all was taken, though there was room");
		at += len;
	} while (at < n);
	return put;
}

static void check_harmless(const unsigned char *p, size_t n)
{
	while (n > 0) {
		uint32_t cp = 0;
		int len = utf8_decode(p, n, &cp);
		fuzz_check(len > 0 && (cp == '\n' || cp == '\t' || text_printable(cp)), "a byte that a terminal would obey");
		p += len;
		n -= (size_t)len;
	}
}

static void run(const uint8_t *bytes, size_t n)
{
	if (n < 2)
		return;
	size_t piece = 1 + bytes[0] % 7, cap = FILTER_GROWTH * n + (n + 1) * FILTER_SPARE;
	unsigned char *whole = malloc(cap), *cut = malloc(cap);
	filter_fn *const fns[] = { sanitize_convert, crlf_convert };
	if (whole == NULL || cut == NULL)
		abort();
	for (size_t i = 0; i < 2; i++) {
		size_t a = convert(fns[i], bytes + 1, n - 1, n, whole, cap);
		size_t b = convert(fns[i], bytes + 1, n - 1, piece, cut, cap);
		fuzz_check(a == b && memcmp(whole, cut, a) == 0, "the same bytes in pieces come out as others");
		if (fns[i] == sanitize_convert)
			check_harmless(whole, a);
	}
	free(whole);
	free(cut);
}

const struct fuzz fuzz_clean = { .name = "clean", .run = run };
