/* Where the first frame ends, from the bytes alone. A bad frame is found as early as its bytes allow, so that nobody has to
 * keep more of an endless line than the longest that is allowed. */
#include "io/framer.h"

#include <string.h>

static ssize_t line_cut(const struct framer *f, const void *buf, size_t len, size_t *at, size_t *n)
{
	const char *p = buf, *lf = len > 0 ? memchr(p, '\n', len) : NULL;
	size_t size = lf != NULL ? (size_t)(lf - p) : len;
	size_t used = lf != NULL ? size + 1 : (size_t)FRAMER_PARTIAL;
	if (size > 0 && p[size - 1] == '\r')
		size--;
	if (size > f->most)
		return FRAMER_BAD;
	*at = 0;
	*n = size;
	return (ssize_t)used;
}

const struct framer framer_line = { .most = 1024 * 1024, .cut = line_cut };

ssize_t framer_cut(const struct framer *f, const void *buf, size_t len, size_t *at, size_t *n)
{
	return f->cut(f, buf, len, at, n);
}

size_t framer_whole_lines(const void *buf, size_t len)
{
	const char *p = buf;
	while (len > 0 && p[len - 1] != '\n')
		len--;
	return len;
}
