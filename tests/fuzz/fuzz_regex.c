/* Regular expressions: the first line is one, the rest what it is looked for in. Whether there is a match does not depend on the
 * pieces in which it is found out, nor on what is asked of it; what is told lies within the bytes; and no byte costs more than
 * the expression's size. */
#include "tests/fuzz/fuzz.h"

#include "pattern/ere.h"

#include <string.h>

enum { ALL = 1 << 30 };

static enum ere_did find(const struct ere *x, const uint8_t *p, size_t n, unsigned groups, int64_t piece, struct ere_run *r)
{
	struct ere_cache *cache = ere_cache_open();
	enum ere_did did = ERE_MORE;
	int64_t all = 0, byte = 3 * (int64_t)ere_size(x) + 8;
	fuzz_check(cache != NULL, "no memory");
	ere_start(r, x, cache, p, n, groups);
	while (did == ERE_MORE) {
		int64_t work = piece;
		did = ere_go(r, &work);
		all += piece - work;
	}
	fuzz_check(all <= 2 * ((int64_t)n + 1) * byte, "it costs more than was promised");
	fuzz_check(did != ERE_MEMORY, "no memory");
	ere_cache_close(cache);
	return did;
}

static void check_groups(const struct ere_run *r, size_t n, unsigned groups)
{
	fuzz_check(r->group[0].from >= 0, "a match that is nowhere");
	for (unsigned i = 0; i < groups; i++) {
		const struct ere_span *s = &r->group[i];
		bool none = s->from < 0 && s->to < 0;
		fuzz_check(none || (s->from >= 0 && s->from <= s->to && (size_t)s->to <= n), "a group is outside");
		fuzz_check(none || (s->from >= r->group[0].from && s->to <= r->group[0].to), "a group is outside of its match");
	}
}

static void run(const uint8_t *bytes, size_t n)
{
	char why[ERE_WORDS];
	struct ere_run whole, pieces, groups;
	const uint8_t *line = n > 0 ? memchr(bytes, '\n', n) : NULL;
	if (line == NULL || n > 4096)
		return;
	bool icase = *bytes == '~';
	struct ere *x = ere_open(bytes + icase, (size_t)(line - bytes) - (icase && line > bytes), icase, why);
	if (x == NULL) {
		fuzz_check_shown(why);
		return;
	}
	const uint8_t *p = line + 1;
	size_t left = n - (size_t)(p - bytes);
	enum ere_did did = find(x, p, left, 0, ALL, &whole);
	fuzz_check(did == find(x, p, left, 0, 1, &pieces), "in pieces it is not the same");
	fuzz_check(did == find(x, p, left, ERE_GROUPS, 7, &groups), "whether it matches depends on what is asked");
	if (did == ERE_YES) {
		check_groups(&groups, left, ERE_GROUPS);
		find(x, p, left, 1, ALL, &pieces);
		fuzz_check(memcmp(&pieces.group[0], &groups.group[0], sizeof pieces.group[0]) == 0, "the match is another");
	}
	ere_close(x);
}

const struct fuzz fuzz_regex = { .name = "regex", .run = run };
