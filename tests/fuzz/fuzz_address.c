/* An address as users write it: the first byte chooses what the options say, the rest are the words, one a line. */
#include "tests/fuzz/fuzz.h"

#include "net/addr.h"

#include <string.h>

enum { WORDS = 3 };

static void check_ranges(const struct addr *a)
{
	struct err e = { 0 };
	uint16_t first = 0, last = 0;
	const char *at = a->ports;
	int more = 0;
	while (at != NULL && (more = addr_range(&at, addr_dgram(a) ? "udp" : "tcp", &first, &last, &e)) > 0)
		fuzz_check(first <= last, "a range that runs backwards");
	fuzz_check(more >= 0, "ports that were taken are refused");
}

static void run(const uint8_t *bytes, size_t n)
{
	char text[WORDS][512], *words[WORDS + 1] = { NULL };
	size_t at = 1;
	int argc = 0, used = 0;
	if (n < 1)
		return;
	const struct addr_conf conf = { .v4 = bytes[0] & 1,
		.v6 = bytes[0] & 2,
		.udp = bytes[0] & 4,
		.unix_path = bytes[0] & 8,
		.tls = bytes[0] & 16,
		.local = bytes[0] & 32 };
	while (argc < WORDS && fuzz_word(bytes, n, &at, '\n', text[argc], sizeof text[argc])) {
		words[argc] = text[argc];
		argc++;
	}
	struct addr a;
	struct err e = { 0 };
	if (addr_parse(&a, &conf, bytes[0] >> 6, argc, words, &used, &e) != 0) {
		fuzz_check(e.cls == ERR_USAGE && e.what[0] != '\0', "refused without a word");
		fuzz_check_shown(e.what);
		return;
	}
	fuzz_check(used == argc && used <= 2, "a word too many was taken");
	fuzz_check(a.path_len <= sizeof a.path && strlen(a.host) < sizeof a.host, "a name that is too long was taken");
	fuzz_check_shown(a.text);
	if (a.ports != NULL)
		check_ranges(&a);
}

const struct fuzz fuzz_address = { .name = "address", .run = run };
