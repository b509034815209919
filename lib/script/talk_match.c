/* Matching a pattern. Pure: the same bytes give the same answer, in any number of calls.
 *
 * A peer chooses the frame, so patterns take linear time: regular expressions by pattern/ere.h, searches by pattern/needle.h.
 * Work beyond the limit of a turn of the loop continues in the next.
 *
 * Letters are ASCII letters, in any locale. */
#include "script/talk_script.h"

#include <string.h>

static unsigned char talk_match_lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

/* The first of n bytes in which a and b differ, starting at `from`. */
static size_t talk_match_same(const unsigned char *a, const unsigned char *b, size_t from, size_t n, bool icase)
{
	if (n > from && !icase && memcmp(a + from, b + from, n - from) == 0)
		return n;
	while (from < n && (a[from] == b[from] || (icase && talk_match_lower(a[from]) == talk_match_lower(b[from]))))
		from++;
	return from;
}

size_t talk_same(const struct talk_pattern *p, const unsigned char *buf, size_t len)
{
	return talk_match_same(p->text.p, buf, 0, len < p->text.n ? len : p->text.n, p->icase);
}

/* --- one frame --- */

void talk_match_start(struct talk_match *m, const struct talk_pattern *p, const struct talk_bytes *frame)
{
	*m = (struct talk_match){ .p = p, .frame = *frame };
	if (p->kind == TALK_REGEX)
		ere_start(&m->run, p->ere, p->cache, frame->p, frame->n, p->groups);
}

void talk_match_stop(struct talk_match *m)
{
	if (m->p != NULL && m->p->kind == TALK_REGEX)
		ere_stop(&m->run);
	m->p = NULL;
}

static enum talk_fit match_literal(struct talk_match *m, int64_t *work)
{
	const struct talk_pattern *p = m->p;
	size_t n = p->text.n, most = n - m->at < (size_t)*work ? n : m->at + (size_t)*work;
	if (p->kind == TALK_EQUAL ? m->frame.n != n : m->frame.n < n)
		return TALK_NO;
	size_t at = talk_match_same(p->text.p, m->frame.p, m->at, most, p->icase);
	*work -= (int64_t)(at - m->at);
	m->at = at;
	return at == n ? TALK_YES : at == most ? TALK_MORE : TALK_NO;
}

static enum talk_fit match_search(struct talk_match *m, int64_t *work)
{
	if (needle_go(&m->search, &m->p->needle, m->frame.p, m->frame.n, work) == NEEDLE_FOUND)
		return TALK_YES;
	return *work > 0 ? TALK_NO : TALK_MORE;
}

static enum talk_fit match_regex(struct talk_match *m, int64_t *work, struct talk_bytes group[TALK_GROUPS])
{
	enum { AT_ONCE = 16 }; /* memcmp compares so many bytes while this loop compares one */
	if (m->at == 0 && m->frame.n > 0 && memchr(m->frame.p, '\0', m->frame.n) != NULL)
		return TALK_NO;
	*work -= m->at == 0 ? (int64_t)(m->frame.n / AT_ONCE) : 0;
	m->at = 1;
	enum ere_did did = ere_go(&m->run, work);
	for (unsigned i = 1; did == ERE_YES && i < m->p->groups; i++)
		if (m->run.group[i].from >= 0)
			group[i] = (struct talk_bytes){ m->frame.p + m->run.group[i].from,
				(size_t)(m->run.group[i].to - m->run.group[i].from) };
	return did == ERE_YES ? TALK_YES : did == ERE_NO ? TALK_NO : did == ERE_MORE ? TALK_MORE : TALK_NO_MEMORY;
}

static enum talk_fit match_kind(struct talk_match *m, int64_t *work, struct talk_bytes group[TALK_GROUPS])
{
	switch (m->p->kind) {
	case TALK_EQUAL:
	case TALK_PREFIX:
		return match_literal(m, work);
	case TALK_CONTAINS:
		return match_search(m, work);
	case TALK_REGEX:
		return match_regex(m, work, group);
	case TALK_COUNT:
		return m->frame.n == m->p->count ? TALK_YES : TALK_NO;
	default:
		return TALK_YES;
	}
}

enum talk_fit talk_match_go(struct talk_match *m, int64_t *work, struct talk_bytes group[TALK_GROUPS])
{
	enum { EACH = 16 };
	if (*work <= 0)
		return TALK_MORE;
	*work -= EACH;
	for (size_t i = 0; i < TALK_GROUPS; i++)
		group[i] = (struct talk_bytes){ m->frame.p, 0 };
	group[0].n = m->frame.n;
	int64_t left = *work > 0 ? *work : 1, was = left;
	enum talk_fit fit = match_kind(m, &left, group);
	*work -= was - left;
	if (fit == TALK_MORE)
		return TALK_MORE;
	if (m->p->not &&fit != TALK_NO_MEMORY)
		fit = fit == TALK_YES ? TALK_NO : TALK_YES;
	talk_match_stop(m);
	return fit;
}

/* --- raw bytes --- */

enum talk_fit talk_fits(const struct talk_pattern *p, const unsigned char *buf, size_t len, bool last, size_t *n)
{
	size_t want = p->kind == TALK_COUNT ? (size_t)p->count : p->text.n, have = len < want ? len : want;
	size_t equal = p->kind == TALK_COUNT ? have : talk_match_same(p->text.p, buf, *n < have ? *n : have, have, p->icase);
	*n = equal;
	if (equal == want)
		return TALK_YES;
	if (equal == len && !last)
		return TALK_MORE;
	*n = equal < len ? equal + 1 : len;
	return TALK_NO;
}
