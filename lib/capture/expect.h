/* The bytes that a peer is expected to send: all received bytes must equal them, no more and no less.
 *
 * Each connection is compared as its bytes come, so only a position is kept. After a difference the bytes are still handed on,
 * and the next read fails (ERR_MISMATCH), because more bytes cannot repair it. Missing bytes are found at the end. */
#ifndef CAPTURE_EXPECT_H
#define CAPTURE_EXPECT_H

#include "base/opt.h"
#include "base/sha256.h"
#include "stream/stream.h"

extern const struct opt_group expect_opts; /* --expect --expect-file --expect-bytes --expect-sha256 */
struct expect_conf {
	unsigned char *text; /* owned; NULL: not given */
	size_t text_len;
	const char *file;
	int64_t bytes; /* with has_bytes */
	bool has_bytes, has_sum;
	unsigned char sum[SHA256_BYTES];
};

struct expect { /* for all connections of a run */
	const struct expect_conf *conf;
	int fd;	      /* of --expect-file; -1: none */
	int64_t size; /* the expected length, with has_size */
	bool has_size;
};

bool expect_wanted(const struct expect_conf *conf);
/* Opens the file. -1 with e (ERR_USAGE). */
int expect_open(struct expect *x, const struct expect_conf *conf, struct err *e);
void expect_close(struct expect *x);

/* Puts the layer on *top: it compares, and its result is the stream's. Borrows x. -1: no memory, *top unchanged. */
int expect_push(struct stream **top, const struct expect *x);

#endif
