/* Pieces of memory (struct iovec) as one row of bytes. A piece of no bytes may have any base. */
#ifndef STREAM_IOV_H
#define STREAM_IOV_H

#include <stddef.h>
#include <sys/uio.h>

size_t iov_total(const struct iovec *v, int n); /* bytes */
/* Copies len bytes into v, or out of it, from byte `at` of v on; how many of them v had room for, or held. */
size_t iov_scatter(const struct iovec *v, int n, size_t at, const void *from, size_t len);
size_t iov_gather(const struct iovec *v, int n, size_t at, void *to, size_t len);
/* Leaves out the first `bytes`, and pieces of no bytes that follow: *v and *n are the rest then, whose first piece is cut. */
void iov_skip(struct iovec **v, int *n, size_t bytes);

#endif
