/* SHA-256 (FIPS 180-4), fed piece by piece. For comparing, not for secrets: it takes no care of timing. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_BLOCK = 64, SHA256_TEXT = 2 * SHA256_BYTES + 1 };

struct sha256 {
	uint32_t h[8];
	uint64_t len;			   /* bytes so far */
	unsigned char block[SHA256_BLOCK]; /* the unfinished one */
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *bytes, size_t n);
void sha256_end(const struct sha256 *s, unsigned char out[SHA256_BYTES]); /* of what came so far; more may come */

const char *sha256_text(const unsigned char sum[SHA256_BYTES], char out[SHA256_TEXT]); /* lower case; returns out */
int sha256_parse(unsigned char out[SHA256_BYTES], const char *text);		       /* 64 hex digits and nothing else, or -1 */

#endif
