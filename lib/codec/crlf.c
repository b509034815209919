/* LF to CR LF, as network protocols end lines. A CR LF stays as it is, also when CR and LF come in two pieces; the one bit of
 * state says whether the last byte was a CR. */
#include "codec/filter.h"

size_t crlf_convert(uint64_t *state, const unsigned char *in, size_t n, size_t *used, unsigned char *out, size_t cap, bool last)
{
	(void)last; /* nothing is ever kept back */
	size_t i = 0, len = 0;
	for (; i < n && cap - len >= FILTER_SPARE; i++) {
		if (in[i] == '\n' && *state == 0)
			out[len++] = '\r';
		out[len++] = in[i];
		*state = in[i] == '\r';
	}
	*used = i;
	return len;
}
