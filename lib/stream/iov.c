/* Sums, copies and the rest of pieces of memory (iov.h). */
#include "stream/iov.h"

#include <string.h>

size_t iov_total(const struct iovec *v, int n)
{
	size_t bytes = 0;
	for (int i = 0; i < n; i++)
		bytes += v[i].iov_len;
	return bytes;
}

/* The next part of v behind byte `at`, at most `most` bytes of it. NULL: v ends there. */
static unsigned char *iov_part(const struct iovec **v, int *n, size_t *at, size_t most, size_t *part)
{
	for (; *n > 0 && *at >= (*v)->iov_len; (*v)++, (*n)--)
		*at -= (*v)->iov_len;
	if (*n == 0 || most == 0)
		return NULL;
	unsigned char *here = (unsigned char *)(*v)->iov_base + *at;
	*part = (*v)->iov_len - *at < most ? (*v)->iov_len - *at : most;
	*at += *part;
	return here;
}

size_t iov_scatter(const struct iovec *v, int n, size_t at, const void *from, size_t len)
{
	size_t done = 0, part;
	for (void *here; (here = iov_part(&v, &n, &at, len - done, &part)) != NULL; done += part)
		memcpy(here, (const unsigned char *)from + done, part);
	return done;
}

size_t iov_gather(const struct iovec *v, int n, size_t at, void *to, size_t len)
{
	size_t done = 0, part;
	for (const void *here; (here = iov_part(&v, &n, &at, len - done, &part)) != NULL; done += part)
		memcpy((unsigned char *)to + done, here, part);
	return done;
}

void iov_skip(struct iovec **v, int *n, size_t bytes)
{
	for (; *n > 0 && bytes >= (*v)->iov_len; (*v)++, (*n)--)
		bytes -= (*v)->iov_len;
	if (*n > 0)
		**v = (struct iovec){ (char *)(*v)->iov_base + bytes, (*v)->iov_len - bytes };
}
