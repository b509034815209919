/* SHA-256 as its standard describes it (sha256.h): eight words, 64 rounds a block, padding with one bit, zeros and the length. */
#include "base/sha256.h"

#include "base/text.h"

#include <string.h>

enum { ROUNDS = 64, LENGTH_AT = SHA256_BLOCK - 8 };

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t k[ROUNDS] = { 0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1,
	0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
	0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354,
	0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585,
	0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee,
	0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2 };

static uint32_t sha256_ror(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static uint32_t sha256_load(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void sha256_store(unsigned char *p, uint32_t x)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (unsigned char)(x >> (24 - 8 * i));
}

static void sha256_schedule(uint32_t w[ROUNDS], const unsigned char *block)
{
	memcpy(w, block, SHA256_BLOCK); /* in place, for GCC's analyzer, which loses sight of 16 words set one by one */
	for (unsigned i = 0; i < 16; i++)
		w[i] = sha256_load((const unsigned char *)&w[i]);
	for (unsigned i = 16; i < ROUNDS; i++) {
		uint32_t s0 = sha256_ror(w[i - 15], 7) ^ sha256_ror(w[i - 15], 18) ^ w[i - 15] >> 3;
		uint32_t s1 = sha256_ror(w[i - 2], 17) ^ sha256_ror(w[i - 2], 19) ^ w[i - 2] >> 10;
		w[i] = w[i - 16] + s0 + w[i - 7] + s1;
	}
}

static void sha256_mix(uint32_t h[8], const unsigned char *block)
{
	uint32_t w[ROUNDS], v[8]; /* v: a to h of the standard */
	sha256_schedule(w, block);
	memcpy(v, h, sizeof v);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t s1 = sha256_ror(v[4], 6) ^ sha256_ror(v[4], 11) ^ sha256_ror(v[4], 25),
			 choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
		uint32_t s0 = sha256_ror(v[0], 2) ^ sha256_ror(v[0], 13) ^ sha256_ror(v[0], 22);
		uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
		uint32_t t1 = v[7] + s1 + choice + k[i] + w[i];
		memmove(v + 1, v, 7 * sizeof v[0]);
		v[4] += t1;
		v[0] = t1 + s0 + majority;
	}
	for (unsigned i = 0; i < 8; i++)
		h[i] += v[i];
}

void sha256_init(struct sha256 *s)
{
	/* The same of the square roots of the first eight primes. */
	*s = (struct sha256){ .h = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
				      0x5be0cd19 } };
}

void sha256_add(struct sha256 *s, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	size_t held = s->len % SHA256_BLOCK;
	s->len += n;
	while (n > 0) {
		if (held == 0 && n >= SHA256_BLOCK) {
			sha256_mix(s->h, p);
			p += SHA256_BLOCK;
			n -= SHA256_BLOCK;
			continue;
		}
		size_t part = SHA256_BLOCK - held < n ? SHA256_BLOCK - held : n;
		memcpy(s->block + held, p, part);
		held += part;
		p += part;
		n -= part;
		if (held == SHA256_BLOCK) {
			sha256_mix(s->h, s->block);
			held = 0;
		}
	}
}

void sha256_end(const struct sha256 *s, unsigned char out[SHA256_BYTES])
{
	struct sha256 last = *s;
	size_t held = s->len % SHA256_BLOCK;
	last.block[held++] = 0x80;
	if (held > LENGTH_AT) {
		memset(last.block + held, 0, SHA256_BLOCK - held);
		sha256_mix(last.h, last.block);
		held = 0;
	}
	memset(last.block + held, 0, LENGTH_AT - held);
	sha256_store(last.block + LENGTH_AT, (uint32_t)(s->len >> 29)); /* the length counts bits */
	sha256_store(last.block + LENGTH_AT + 4, (uint32_t)(s->len << 3));
	sha256_mix(last.h, last.block);
	for (unsigned i = 0; i < 8; i++)
		sha256_store(out + 4 * i, last.h[i]);
}

const char *sha256_text(const unsigned char sum[SHA256_BYTES], char out[SHA256_TEXT])
{
	for (size_t i = 0; i < SHA256_BYTES; i++)
		text_hex(out + 2 * i, sum[i]);
	out[SHA256_TEXT - 1] = '\0';
	return out;
}

int sha256_parse(unsigned char out[SHA256_BYTES], const char *text)
{
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		int high = text_digit(text[2 * i]), low = high < 0 ? -1 : text_digit(text[2 * i + 1]);
		if (low < 0)
			return -1;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return text[2 * SHA256_BYTES] == '\0' ? 0 : -1;
}
