/* What a pattern means. Pure: the same bytes give the same answer, however many calls they came in.
 *
 * Letters are those of ASCII, whatever the locale. */
#include "services/talk.h"

#include <string.h>

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

/* The first of n bytes in which a and b differ, not looking before `from`. */
static size_t same(const unsigned char *a, const unsigned char *b, size_t from, size_t n, bool icase)
{
	if (n > from && !icase && memcmp(a + from, b + from, n - from) == 0)
		return n;
	while (from < n && (a[from] == b[from] || (icase && lower(a[from]) == lower(b[from]))))
		from++;
	return from;
}

size_t talk_same(const struct talk_pattern *p, const unsigned char *buf, size_t len)
{
	return same(p->text.p, buf, 0, len < p->text.n ? len : p->text.n, p->icase);
}

ptrdiff_t talk_search(const struct talk_pattern *p, const unsigned char *buf, size_t len)
{
	struct talk_bytes t = p->text;
	if (t.n > len)
		return -1;
	if (t.n == 0)
		return 0;
	if (!p->icase) {
		const unsigned char *at = memmem(buf, len, t.p, t.n);
		return at != NULL ? at - buf : -1;
	}
	for (size_t at = 0; at + t.n <= len; at++)
		if (lower(buf[at]) == lower(t.p[0]) && same(t.p, buf + at, 1, t.n, true) == t.n)
			return (ptrdiff_t)at;
	return -1;
}

static bool match_regex(const struct talk_pattern *p, const unsigned char *frame, size_t n, struct talk_bytes group[TALK_GROUPS])
{
	regmatch_t at[TALK_GROUPS];
	if (memchr(frame, '\0', n + 1) != frame + n || regexec(&p->regex, (const char *)frame, TALK_GROUPS, at, 0) != 0)
		return false;
	for (size_t i = 1; i < TALK_GROUPS && i <= p->regex.re_nsub; i++)
		if (at[i].rm_so >= 0)
			group[i] = (struct talk_bytes){ frame + at[i].rm_so, (size_t)(at[i].rm_eo - at[i].rm_so) };
	return true;
}

static bool match(const struct talk_pattern *p, const unsigned char *frame, size_t n, struct talk_bytes group[TALK_GROUPS])
{
	switch (p->kind) {
	case TALK_EQUAL:
		return n == p->text.n && talk_same(p, frame, n) == n;
	case TALK_PREFIX:
		return n >= p->text.n && talk_same(p, frame, n) == p->text.n;
	case TALK_CONTAINS:
		return talk_search(p, frame, n) >= 0;
	case TALK_REGEX:
		return match_regex(p, frame, n, group);
	case TALK_COUNT:
		return n == p->count;
	default:
		return true;
	}
}

bool talk_match(const struct talk_pattern *p, const unsigned char *frame, size_t n, struct talk_bytes group[TALK_GROUPS])
{
	for (size_t i = 0; i < TALK_GROUPS; i++)
		group[i] = (struct talk_bytes){ frame, 0 };
	group[0].n = n;
	return match(p, frame, n, group) != p->not ;
}

enum talk_fit talk_fits(const struct talk_pattern *p, const unsigned char *buf, size_t len, bool last, size_t *n)
{
	size_t want = p->kind == TALK_COUNT ? (size_t)p->count : p->text.n, have = len < want ? len : want;
	size_t equal = p->kind == TALK_COUNT ? have : same(p->text.p, buf, *n < have ? *n : have, have, p->icase);
	*n = equal;
	if (equal == want)
		return TALK_YES;
	if (equal == len && !last)
		return TALK_MORE;
	*n = equal < len ? equal + 1 : len;
	return TALK_NO;
}
