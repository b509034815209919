/* Two-way search. The needle is cut in two. The right part is compared first: the place where it fails says how far to move; if
 * it does not fail, the period of the needle does. */
#include "pattern/needle.h"

#include <string.h>

static unsigned char fold_byte(const struct needle *x, unsigned char c)
{
	return x->icase && c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

/* Where its maximal suffix begins, minus one, in one of the two orders of bytes. */
static size_t maximal_suffix(const struct needle *x, bool other, size_t *period)
{
	size_t at = SIZE_MAX, from = 0, k = 1, p = 1;
	while (from + k < x->n) {
		unsigned char a = fold_byte(x, x->p[at + k]), b = fold_byte(x, x->p[from + k]);
		if (a == b) {
			from += k == p ? p : 0;
			k = k == p ? 1 : k + 1;
		} else if ((a > b) != other) {
			from += k;
			k = 1;
			p = from - at;
		} else {
			at = from++;
			k = p = 1;
		}
	}
	*period = p;
	return at;
}

void needle_make(struct needle *x, const void *bytes, size_t n, bool icase)
{
	size_t p = 1, q = 1;
	*x = (struct needle){ .p = bytes, .n = n, .icase = icase };
	size_t a = maximal_suffix(x, false, &p), b = maximal_suffix(x, true, &q);
	bool second = b + 1 > a + 1;
	x->cut = (second ? b : a) + 1;
	x->period = second ? q : p;
	size_t same = 0;
	while (same < x->cut && x->period + same < n && fold_byte(x, x->p[same]) == fold_byte(x, x->p[x->period + same]))
		same++;
	if (same == x->cut) {
		x->known = n - x->period;
	} else {
		size_t longer = x->cut > n - x->cut ? x->cut : n - x->cut;
		x->period = longer + 1;
	}
}

/* The first byte of the needle, or as far as there is room for all of it. */
static void skip_ahead(struct needle_search *s, const struct needle *x, const unsigned char *bytes, size_t len, int64_t *work)
{
	size_t most = len - x->n + 1 - s->at;
	most = most < (size_t)*work ? most : (size_t)*work;
	const unsigned char *first = memchr(bytes + s->at, x->p[0], most);
	size_t n = first != NULL ? (size_t)(first - (bytes + s->at)) : most;
	s->at += n;
	*work -= (int64_t)(n / 8);
}

enum needle_did needle_go(struct needle_search *s, const struct needle *x, const unsigned char *bytes, size_t len, int64_t *work)
{
	while (*work > 0 && len >= x->n && s->at <= len - x->n) {
		if (x->n == 0)
			return NEEDLE_FOUND;
		if (s->right == 0 && s->known == 0 && !x->icase) {
			skip_ahead(s, x, bytes, len, work);
			if (s->at > len - x->n)
				break;
		}
		const unsigned char *here = bytes + s->at;
		size_t from = s->right != 0 ? s->right : s->known > x->cut ? s->known : x->cut, k = from;
		size_t most = x->n - k < (size_t)*work ? x->n : k + (size_t)(*work > 0 ? *work : 1);
		while (k < most && fold_byte(x, x->p[k]) == fold_byte(x, here[k]))
			k++;
		*work -= (int64_t)(k - from + 1);
		s->right = k;
		if (k < x->n && k == most)
			continue;
		if (k < x->n) {
			s->at += k - x->cut + 1;
			s->known = s->right = 0;
			continue;
		}
		from = k = s->left != 0 ? s->left : x->cut;
		most = k - s->known < (size_t)(*work > 0 ? *work : 1) ? k - s->known : (size_t)(*work > 0 ? *work : 1);
		while (k > s->known && from - k < most && fold_byte(x, x->p[k - 1]) == fold_byte(x, here[k - 1]))
			k--;
		*work -= (int64_t)(from - k + 1);
		s->left = k;
		if (k <= s->known)
			return NEEDLE_FOUND;
		if (from - k == most)
			continue;
		s->at += x->period;
		s->known = x->known;
		s->right = s->left = 0;
	}
	return NEEDLE_MORE;
}
