/* The header of the PROXY protocol: the first byte chooses the versions. No more is asked for than belongs to it, it is refused
 * with a reason, and what was understood of it can be said again and is understood the same. */
#include "tests/fuzz/fuzz.h"

#include "proxy/proxy_header.h"

#include <stdlib.h>
#include <string.h>

/* From memory that ends where the bytes do. */
static int read_exactly(const uint8_t *bytes, size_t n, unsigned versions, struct proxy_header *h, const char **why)
{
	unsigned char *copy = malloc(n + (n == 0));
	if (copy == NULL)
		abort();
	if (n > 0)
		memcpy(copy, bytes, n);
	int more = proxy_header_read(copy, n, versions, h, why);
	free(copy);
	return more;
}

static void say_again(const struct proxy_header *h)
{
	unsigned char out[PROXY_HEADER_SENDS];
	struct proxy_header same = { 0 };
	const char *why = NULL;
	size_t n = proxy_header_write(out, h);
	fuzz_check(n > 0 && n <= sizeof out, "a header of a wrong length");
	fuzz_check(read_exactly(out, n, h->version, &same, &why) == 0, "what was understood cannot be said again");
	fuzz_check(same.version == h->version, "said again it is of another version");
}

/* Of version 2, by the book and not by our reader: a family that exists, extras that tile what is left, and an address only where
 * the proxy speaks for another. */
static void judge_bytes(const uint8_t *p, size_t n, const struct proxy_header *h)
{
	static const struct {
		uint8_t family;
		uint8_t bytes;
		bool inet;
	} known[] = { { 0, 0, false }, { 0x11, 12, true }, { 0x12, 12, true }, { 0x21, 36, true }, { 0x22, 36, true },
		{ 0x31, 216, false }, { 0x32, 216, false } };
	size_t i = 0;
	while (i < sizeof known / sizeof *known && known[i].family != p[13])
		i++;
	fuzz_check(i < sizeof known / sizeof *known, "a family that does not exist");
	fuzz_check(p[12] == 0x20 || p[12] == 0x21, "a version or command that does not exist");
	fuzz_check(h->told == (p[12] == 0x21 && known[i].inet), "an address where none was announced, or none where one was");
	fuzz_check(!h->told || h->peer.family == AF_INET || h->peer.family == AF_INET6, "an address that no list knows");
	size_t at = 16 + known[i].bytes;
	while (at + 3 <= n)
		at += 3 + ((size_t)p[at + 1] << 8 | p[at + 2]);
	fuzz_check(at == n || (p[12] == 0x20 && n < 16u + known[i].bytes), "half an extra");
}

static void run(const uint8_t *bytes, size_t n)
{
	struct proxy_header h = { 0 };
	const char *why = NULL;
	if (n < 1)
		return;
	unsigned versions = 1 + bytes[0] % 3;
	size_t have = 0;
	int more;
	while ((more = read_exactly(bytes + 1, have, versions, &h, &why)) > 0) {
		fuzz_check(have + (size_t)more <= PROXY_HEADER_MOST, "a header without end");
		if (n - 1 - have < (size_t)more)
			return;
		have += (size_t)more;
	}
	if (more == 0 && h.version == PROXY_V2)
		judge_bytes(bytes + 1, have, &h);
	if (more == 0)
		say_again(&h);
	else
		fuzz_check(why != NULL && why[0] != '\0', "refused without a word");
}

const struct fuzz fuzz_header = { .name = "header", .run = run };
