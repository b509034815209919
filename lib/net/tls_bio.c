/* Between OpenSSL and the stream below: a BIO of our own.
 *
 * Downwards, records are gathered in one block of the pool and leave in as few writes as there are blocks: SSL_write alone makes
 * a call for each 16 KiB. Upwards, OpenSSL reads ahead 64 KiB at a time, and what the stream below says (AGAIN, end, failure) is
 * kept for the caller, who cannot ask OpenSSL. The first bytes of the peer are kept, too. */
#include "net/tls_parts.h"

#include <string.h>

enum { POOL_MS = 20 };

size_t tls_room(const struct tls_stream *t)
{
	size_t cap = pool_block_bytes(t->tls->env->pool);
	return t->out == NULL ? cap : cap - t->out_at - t->out_len;
}

static int out_write(BIO *bio, const char *bytes, size_t n, size_t *put)
{
	struct tls_stream *t = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (t->out == NULL && (t->out = pool_take(t->tls->env->pool)) == NULL)
		t->starved = true;
	*put = t->out == NULL ? 0 : n < tls_room(t) ? n : tls_room(t);
	if (*put == 0) {
		BIO_set_retry_write(bio);
		return 0;
	}
	memcpy(t->out + t->out_at + t->out_len, bytes, *put);
	t->out_len += (uint32_t)*put;
	return 1;
}

/* The first bytes tell whether the peer speaks TLS at all; OpenSSL's own words for that depend on what they happen to be. */
static void sniff(struct tls_stream *t, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n && t->sniffed_n < TLS_SNIFF; i++)
		t->sniffed[t->sniffed_n++] = (unsigned char)bytes[i];
}

static int in_read(BIO *bio, char *bytes, size_t cap, size_t *got)
{
	struct tls_stream *t = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	*got = 0;
	ssize_t n = t->below_eof ? 0 : stream_read(t->s.below, bytes, cap);
	if (n > 0) {
		*got = (size_t)n;
		sniff(t, bytes, *got);
		return 1;
	}
	if (n == ST_AGAIN)
		BIO_set_retry_read(bio);
	t->below_eof = n == 0;
	t->below_fail = n == ST_FAIL;
	return 0;
}

static long control(BIO *bio, int what, long n, void *p)
{
	const struct tls_stream *t = BIO_get_data(bio);
	(void)n, (void)p;
	if (what == BIO_CTRL_EOF)
		return t->below_eof;
	return what == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_bio(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sockctl stream");
	if (m == NULL || (BIO_meth_set_write_ex(m, out_write) == 1 && BIO_meth_set_read_ex(m, in_read) == 1 &&
				 BIO_meth_set_ctrl(m, control) == 1))
		return m;
	BIO_meth_free(m);
	return NULL;
}

int tls_push_out(struct tls_stream *t)
{
	struct stream *below = t->s.below;
	while (t->out_len > 0) {
		ssize_t put = stream_write(below, t->out + t->out_at, t->out_len);
		if (put < 0)
			return (int)put;
		t->out_at += (uint32_t)put;
		t->out_len -= (uint32_t)put;
	}
	if (t->out != NULL)
		pool_give(t->tls->env->pool, t->out);
	t->out = NULL;
	t->out_at = 0;
	return 0;
}

struct need tls_need_room(struct tls_stream *t)
{
	struct need need = { .timed = true, .at_ms = loop_now(t->tls->env->loop) + POOL_MS };
	if (!t->starved && t->out_len > 0)
		need = t->s.below->wr;
	t->starved = false;
	return need;
}

/* Reading waits for the peer, and for room where an answer of ours (an alert, a new key) has not gone out yet. */
int tls_again_rd(struct tls_stream *t, int ssl_error)
{
	bool waits = tls_push_out(t) == ST_AGAIN;
	if (ssl_error == SSL_ERROR_WANT_WRITE) {
		t->s.rd = tls_need_room(t);
		return ST_AGAIN;
	}
	t->s.rd = t->s.below->rd;
	t->s.rd.out |= waits && t->s.below->wr.out;
	return ST_AGAIN;
}
