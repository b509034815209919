/* Between OpenSSL and the stream below: a BIO of our own.
 *
 * Downwards, records are gathered in one block of the pool and written in as few calls as there are blocks: SSL_write alone makes
 * a call for each 16 KiB. After a failed write all later output is dropped, so that the peer's earlier bytes can still be read.
 * Upwards, OpenSSL reads ahead 64 KiB at a time, and the result of the stream below (AGAIN, end, failure) is kept for the caller,
 * because OpenSSL does not pass it on. The peer's first bytes are kept, too.
 *
 * OpenSSL reads until payload has come, and new keys or records of one byte cost us far more than the peer. A peer that sends
 * many of them gets a small part of each turn, so that other sessions get theirs, and a peer that sends only new keys, refused
 * handshakes or empty records is no longer read. */
#include "tls/tls_internal.h"

#include <string.h>

enum { POOL_MS = 20, LOOK_BYTES = 64 * 1024, WASTE_BYTES = 8 * 1024, EMPTY_MOST = 64 * 1024 };

static size_t tls_bio_room(const struct tls_stream *t)
{
	return t->out == NULL ? 0 : pool_block_bytes(t->tls->run->pool) - t->out_at - t->out_len;
}

static int out_write(BIO *bio, const char *bytes, size_t n, size_t *put)
{
	struct tls_stream *t = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	*put = t->gone || n < tls_bio_room(t) ? n : tls_bio_room(t);
	if (*put == 0) {
		BIO_set_retry_write(bio);
		return 0;
	}
	if (t->gone)
		return 1;
	memcpy(t->out + t->out_at + t->out_len, bytes, *put);
	t->out_len += (uint32_t)*put;
	return 1;
}

/* The first bytes show whether the peer speaks TLS at all; OpenSSL's error depends on what they happen to be. */
static void tls_bio_sniff(struct tls_stream *t, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n && t->sniffed_n < TLS_SNIFF; i++)
		t->sniffed[t->sniffed_n++] = (unsigned char)bytes[i];
}

/* From time to time compares the bytes from below with the payload in them. */
static bool tls_bio_wastes(struct tls_stream *t)
{
	if (t->taken < (t->wastes ? WASTE_BYTES : LOOK_BYTES))
		return false;
	t->wastes = t->given < t->taken / 2;
	t->taken = t->given = 0;
	return t->wastes;
}

static int in_read(BIO *bio, char *bytes, size_t cap, size_t *got)
{
	struct tls_stream *t = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	*got = 0;
	t->rests = tls_bio_wastes(t);
	if (t->wastes && cap > WASTE_BYTES)
		cap = WASTE_BYTES;
	t->floods = t->ready && t->empty >= EMPTY_MOST;
	if (t->floods)
		return 0;
	ssize_t n = t->below_eof ? 0 : t->rests ? ST_AGAIN : stream_read(t->s.below, bytes, cap);
	if (n > 0) {
		*got = (size_t)n;
		t->taken += (uint32_t)n;
		t->empty += t->ready ? (uint32_t)n : 0;
		tls_bio_sniff(t, bytes, *got);
		return 1;
	}
	t->taken = t->given = 0;
	if (n == ST_AGAIN)
		BIO_set_retry_read(bio);
	t->below_eof = n == 0;
	t->below_fail = n == ST_FAIL;
	return 0;
}

static long tls_bio_control(BIO *bio, int what, long n, void *p)
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
				 BIO_meth_set_ctrl(m, tls_bio_control) == 1))
		return m;
	BIO_meth_free(m);
	return NULL;
}

void tls_drop_out(struct tls_stream *t)
{
	pool_give(t->tls->run->pool, t->out);
	t->out = NULL;
	t->out_at = t->out_len = 0;
}

int tls_push_out(struct tls_stream *t)
{
	struct stream *below = t->s.below;
	while (t->out_len > 0) {
		ssize_t put = stream_write(below, t->out + t->out_at, t->out_len);
		if (put == ST_AGAIN)
			return ST_AGAIN;
		if (put < 0) {
			t->gone = true;
			break;
		}
		t->out_at += (uint32_t)put;
		t->out_len -= (uint32_t)put;
	}
	tls_drop_out(t);
	return t->gone ? ST_FAIL : 0;
}

int tls_make_room(struct tls_stream *t, size_t bytes, struct need *need)
{
	int rc = t->gone || (t->out != NULL && tls_bio_room(t) < bytes) ? tls_push_out(t) : 0;
	if (rc == ST_AGAIN)
		*need = t->s.below->wr;
	if (rc != 0 || t->out != NULL || (t->out = pool_take(t->tls->run->pool)) != NULL)
		return rc;
	*need = (struct need){ .timed = true, .at_ms = loop_now(t->tls->run->loop) + POOL_MS };
	return ST_AGAIN;
}

/* OpenSSL waits for the peer, or for room to send an answer of ours (an alert, a new key). */
static int tls_bio_again(struct tls_stream *t, int ssl_error, struct need *need, bool reads)
{
	static const struct need soon = { .timed = true };
	bool waits = tls_push_out(t) == ST_AGAIN;
	if (ssl_error == SSL_ERROR_WANT_WRITE)
		*need = waits ? t->s.below->wr : soon;
	else
		*need = t->rests ? soon : t->s.below->rd;
	if (reads && waits)
		need_join(need, &t->s.below->wr);
	return ST_AGAIN;
}

int tls_again_rd(struct tls_stream *t, int ssl_error)
{
	return tls_bio_again(t, ssl_error, &t->s.rd, true);
}

int tls_again_wr(struct tls_stream *t, int ssl_error)
{
	return tls_bio_again(t, ssl_error, &t->s.wr, false);
}
