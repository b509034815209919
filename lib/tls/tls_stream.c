/* The layer: an SSL over the stream below.
 *
 * A record of payload is only begun if it will fit whole (tls_make_room), so OpenSSL never holds half of one, and the number of
 * accepted bytes is exact. Reading gathers records until the caller's room is full. Between turns an idle connection holds no
 * block.
 *
 * Ends: close_notify is TLS's half-close; sending it does not change reading. An end of the connection without it is a
 * truncation. Many peers close right after their close_notify and answer ours with a reset, which would be reported as lost
 * payload: after such an end ours is sent last, when the payload has been acknowledged and the socket is not used any more. The
 * alert of a failed handshake is given time by linger, because a plain close would reset it away. */
#include "tls/tls_internal.h"

#include "base/mem.h"
#include "stream/iov.h"
#include "stream/linger.h"

#include <errno.h>
#include <string.h>

enum {
	RECORD_BYTES = 16 * 1024,
	RECORD_EXTRA = 512, /* head, nonce, padding and MAC of any cipher, and room for an alert */
	ALERT_MS = 2000,
	BYE_TRIES = 100
};

static const char unended[] = "TLS cannot be ended towards";

static struct tls_stream *tls_stream_self(struct stream *s)
{
	return (struct tls_stream *)s;
}

/* --- reading --- */

/* text: as "... from"; NULL: as the stream below says. */
static int tls_stream_broke(struct tls_stream *t, enum err_class cls, const char *text)
{
	t->broken = true;
	ERR_clear_error();
	return text == NULL ? stream_fail_below(&t->s) : stream_fail(&t->s, cls, OF_PEER, 0, text);
}

/* 0: the end. */
static int read_failed(struct tls_stream *t, int ssl_error)
{
	if (ssl_error == SSL_ERROR_ZERO_RETURN || (t->below_eof && t->tls->conf->allow_truncation)) {
		t->ended = true;
		ERR_clear_error();
		return 0;
	}
	if (t->floods)
		return tls_stream_broke(t, ERR_LOST, "TLS without any data in it, and no end of that, from");
	if (t->below_eof)
		return tls_stream_broke(t, ERR_LOST, "TLS stream cut off (no close_notify) from");
	if (t->below_fail)
		return tls_stream_broke(t, ERR_LOST, NULL);
	struct tls_failure f = tls_broken_words(t->heard);
	tls_push_out(t); /* our alert */
	return tls_stream_broke(t, f.cls, f.text);
}

static ssize_t tls_readv(struct stream *s, const struct iovec *v, int n)
{
	struct tls_stream *t = tls_stream_self(s);
	ssize_t sum = 0;
	int error = 0;
	if (t->rests) {
		t->rests = false;
		return stream_again_rd(s, &(struct need){ .timed = true }); /* next turn */
	}
	if (tls_make_room(t, 0, &s->rd) == ST_AGAIN)
		return ST_AGAIN;
	for (int i = 0; i < n && error == 0 && !t->ended && !t->broken; i++) {
		for (size_t at = 0, got = 0; at < v[i].iov_len; at += got, sum += (ssize_t)got) {
			uint32_t waits = t->out_len;
			ERR_clear_error();
			int rc = SSL_read_ex(t->ssl, (char *)v[i].iov_base + at, v[i].iov_len - at, &got);
			if (rc != 1) {
				error = SSL_get_error(t->ssl, rc);
				if (t->below_eof)
					t->out_len = waits; /* an alert for a peer that has gone would only be answered with a
							       reset */
				break;
			}
			t->given += (uint32_t)got;
			t->empty = 0;
		}
	}
	t->heard |= sum > 0;
	bool waits = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
	int rc = waits ? tls_again_rd(t, error) : error != 0 ? read_failed(t, error) : 0;
	tls_push_out(t);
	if (sum > 0)
		return sum; /* an end, a failure or a pause is kept for the next call */
	t->rests = false;
	return t->broken ? ST_FAIL : rc;
}

/* --- writing --- */

/* One record's worth of the rest of v: in place if a piece is large or the last, else pieces put together. */
static size_t next_record(const struct iovec *v, int n, size_t at, char whole[RECORD_BYTES], const char **bytes)
{
	int i = 0;
	while (i < n && at >= v[i].iov_len)
		at -= v[i++].iov_len;
	if (i == n)
		return 0;
	size_t len = v[i].iov_len - at;
	*bytes = (const char *)v[i].iov_base + at;
	if (len >= RECORD_BYTES || i == n - 1)
		return len < RECORD_BYTES ? len : RECORD_BYTES;
	*bytes = whole;
	return iov_gather(v + i, n - i, at, whole, RECORD_BYTES);
}

static ssize_t tls_writev(struct stream *s, const struct iovec *v, int n)
{
	struct tls_stream *t = tls_stream_self(s);
	char whole[RECORD_BYTES];
	const char *bytes = NULL;
	size_t len, put = 0, sum = 0;
	int error = 0, rc = 0;
	while (error == 0 && (len = next_record(v, n, sum, whole, &bytes)) > 0) {
		if ((rc = tls_make_room(t, len + RECORD_EXTRA, &s->wr)) != 0)
			break;
		ERR_clear_error();
		int ok = SSL_write_ex(t->ssl, bytes, len, &put);
		if (ok == 1)
			sum += put;
		else
			error = SSL_get_error(t->ssl, ok);
	}
	if (tls_push_out(t) == ST_FAIL)
		return stream_fail_below(s);
	if (sum > 0)
		return (ssize_t)sum;
	if (rc == ST_AGAIN)
		return ST_AGAIN;
	if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ)
		return tls_again_wr(t, error);
	return error == 0 ? 0 : tls_stream_broke(t, ERR_LOST, "TLS has ended towards");
}

/* Our close_notify is made now, while a failure can still be reported, and sent at the very end. */
static int keep_bye(struct tls_stream *t)
{
	int rc = tls_make_room(t, RECORD_EXTRA, &t->s.wr);
	if (rc != 0)
		return rc;
	ERR_clear_error();
	bool made = SSL_shutdown(t->ssl) >= 0 && t->out_len > 0 && t->out_len <= sizeof t->bye;
	t->bye_n = made ? (unsigned char)t->out_len : 0;
	memcpy(t->bye, t->out + t->out_at, t->bye_n);
	tls_drop_out(t);
	ERR_clear_error();
	t->bye_due = made;
	return made ? 0 : tls_stream_broke(t, ERR_LOST, unended);
}

static int tls_flush(struct stream *s)
{
	int rc = tls_push_out(tls_stream_self(s));
	return (int)stream_up_wr(s, rc != 0 ? rc : stream_flush(s->below));
}

static int tls_shut(struct stream *s)
{
	struct tls_stream *t = tls_stream_self(s);
	bool last = ((t->ended && !t->half) || t->broken) && !t->said_bye;
	int rc = tls_make_room(t, RECORD_EXTRA, &s->wr);
	if (rc == ST_AGAIN)
		return ST_AGAIN;
	if (rc == 0 && last && (rc = tls_push_out(t)) == 0)
		return t->broken || t->bye_due ? 0 : keep_bye(t);
	if (rc == 0 && t->ready && !t->said_bye) {
		ERR_clear_error();
		int got = SSL_shutdown(t->ssl);
		if (got < 0 && SSL_get_error(t->ssl, got) == SSL_ERROR_WANT_WRITE)
			return tls_again_wr(t, SSL_ERROR_WANT_WRITE);
		if (got < 0 && !t->broken) { /* for example without memory: the peer sees a truncation */
			stream_shut(s->below);
			return tls_stream_broke(t, ERR_LOST, unended);
		}
		ERR_clear_error();
		t->said_bye = true;
	}
	if (rc == 0)
		rc = tls_push_out(t);
	rc = (int)stream_up_wr(s, rc != 0 ? rc : stream_shut(s->below));
	if (rc == ST_FAIL)
		stream_shut(s->below); /* a peer that waits for our end would wait for ever; it sees a truncation */
	return rc;
}

static void tls_close(struct stream *s, enum close_how how)
{
	struct tls_stream *t = tls_stream_self(s);
	const struct run *run = t->tls->run;
	struct stream *below = s->below;
	ssize_t put = 0;
	int tries = 0;
	for (size_t at = 0; how == CLOSE_PLAIN && t->bye_due && at < t->bye_n && put != ST_FAIL; at += put > 0 ? (size_t)put : 0)
		if ((put = stream_write(below, t->bye + at, t->bye_n - at)) == ST_AGAIN && ++tries == BYE_TRIES)
			break; /* everything was acknowledged, so there is room: AGAIN cannot last */
	bool knows = t->refused && t->tls->role == ROLE_ACCEPT; /* a peer that speaks TLS does not take the end for an answer */
	bool alert = knows && !t->below_eof && !t->below_fail && !t->gone && t->out == NULL;
	/* Failed handshakes may use at most half of the linger slots. */
	if (alert && linger_count(run->linger) < linger_most(run->linger) / 2)
		linger_take(run->linger, below, loop_now(run->loop) + ALERT_MS);
	else
		stream_close(below, knows ? CLOSE_PLAIN : how);
	tls_forget_peer(t);
	SSL_free(t->ssl);
	pool_give(run->pool, t->out);
	mem_free(t->words);
	mem_free(t);
}

/* Of an incomplete record, perhaps only the head is there. */
static bool tls_holds(const struct stream *s)
{
	const struct tls_stream *t = (const struct tls_stream *)s;
	return t->ready && !t->ended && !t->broken && (SSL_has_pending(t->ssl) || strcmp(SSL_rstate_string(t->ssl), "RB") == 0);
}

const struct stream_ops tls_stream_ops = {
	.name = "tls",
	.setup = tls_setup,
	.readv = tls_readv,
	.writev = tls_writev,
	.flush = tls_flush,
	.shut = tls_shut,
	.holds = tls_holds,
	.close = tls_close,
};

static int tls_stream_join(struct tls_stream *t)
{
	BIO *bio = BIO_new(t->tls->bio);
	if (bio == NULL)
		return -1;
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_app_data(t->ssl, t->peer);
	if (t->tls->role == ROLE_ACCEPT) {
		SSL_set_accept_state(t->ssl);
		return 0;
	}
	SSL_set_connect_state(t->ssl);
	return tls_expect_name(t->tls, t->ssl);
}

int tls_stream_push(struct stream **top, const struct link *link, struct tls *tls, struct err *e)
{
	struct tls_stream *t = mem_new(sizeof *t);
	if (t != NULL) {
		t->tls = tls;
		t->ssl = SSL_new(tls->ctx);
		t->peer = mem_new(sizeof *t->peer);
	}
	if (t == NULL || t->ssl == NULL || t->peer == NULL) {
		if (t != NULL && t->ssl != NULL)
			SSL_free(t->ssl);
		if (t != NULL)
			mem_free(t->peer);
		mem_free(t);
		return err_set(e, ERR_LOCAL, ENOMEM, "start TLS");
	}
	*t->peer = (struct tls_peer){ .tls = tls, .conn = link->conn };
	if (tls_stream_join(t) != 0) {
		tls_forget_peer(t);
		SSL_free(t->ssl);
		mem_free(t);
		return err_set(e, ERR_LOCAL, ENOMEM, "start TLS");
	}
	stream_push(&t->s, &tls_stream_ops, *top);
	*top = &t->s;
	return 0;
}
