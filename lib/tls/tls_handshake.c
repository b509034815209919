/* The handshake, step by step as the peer answers, and its report: the event, or the error and which end is at fault. */
#include "tls/tls_internal.h"

#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { NAME_SHOWN = 256 };

static bool speaks_tls(const struct tls_stream *t)
{
	enum { ALERT_TYPE = 21, HANDSHAKE_TYPE = 22 };
	if (t->sniffed_n == 0)
		return true;
	return (t->sniffed[0] == HANDSHAKE_TYPE || t->sniffed[0] == ALERT_TYPE) && (t->sniffed_n < 2 || t->sniffed[1] == 3);
}

static int handshake_failed(struct tls_stream *t, const char *words)
{
	mem_free(t->words);
	t->words = words != NULL ? mem_text(words) : NULL;
	tls_push_out(t);
	t->refused = t->said_bye = t->broken = true;
	return stream_fail(&t->s, ERR_TLS, 0, 0, t->words != NULL ? t->words : "the handshake failed");
}

/* No alert, which such a peer would take for data; the connection is reset, so that the peer does not take its end for an
 * answer. */
static int refuse_plain(struct tls_stream *t, const char *words)
{
	tls_drop_out(t);
	handshake_failed(t, words);
	t->refused = false;
	return ST_FAIL;
}

static int broke_off(struct tls_stream *t)
{
	struct err e;
	err_set(&e, ERR_TLS, t->s.below->why.sys, "the connection broke during the handshake");
	return handshake_failed(t, e.what);
}

static int judge_failure(struct tls_stream *t)
{
	char words[TLS_WORDS], shown[4 * TLS_SNIFF + 1];
	tls_handshake_words(words);
	if (t->peer->words != NULL)
		return handshake_failed(t, t->peer->words);
	if (t->below_fail)
		return broke_off(t);
	if (!speaks_tls(t)) {
		text_show(shown, sizeof shown, t->sniffed, t->sniffed_n);
		snprintf(words, sizeof words, "the peer does not speak TLS: it sent \"%s\"", shown);
		return refuse_plain(t, words);
	}
	if (t->below_eof)
		snprintf(words, sizeof words, "the peer closed the connection during the handshake%s",
			t->sniffed_n == 0 ? "; perhaps it does not speak TLS" : "");
	if (t->below_eof && t->sniffed_n == 0)
		return refuse_plain(t, words);
	return handshake_failed(t, words);
}

static void tell_done(const struct tls_stream *t)
{
	const struct tls *tls = t->tls;
	const struct event_sink *events = tls->run->events;
	const char *verify = t->peer->verified ? "ok" : t->peer->pinned ? "pin" : tls->role == ROLE_DIAL ? "off" : "none";
	const char *sni =
		tls->role == ROLE_DIAL ? (tls->named ? tls->name : NULL) : SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);
	const unsigned char *alpn = NULL;
	unsigned alpn_len = 0;
	char protocol[TLS_ALPN_MOST + 1], words[80], name[256];
	SSL_get0_alpn_selected(t->ssl, &alpn, &alpn_len);
	snprintf(protocol, sizeof protocol, "%.*s", (int)alpn_len, alpn != NULL ? (const char *)alpn : "");
	if (sni != NULL)
		text_show(name, sizeof name, sni, strlen(sni));
	snprintf(words, sizeof words, "%s%.40s, certificate %s", alpn_len > 0 ? ", " : "", protocol,
		t->peer->verified ? "verified"
		: t->peer->pinned ? "pinned"
				  : "not verified");
	bool shown = tls->role == ROLE_DIAL || t->peer->pin[0] != '\0';
	if (!shown)
		snprintf(words, sizeof words, "%s%.40s", alpn_len > 0 ? ", " : "", protocol);
	event(events, EV_TLS, t->peer->conn, EV_TEXT("version", SSL_get_version(t->ssl)),
		EV_TEXT("cipher", SSL_get_cipher(t->ssl)), EV_TEXT("alpn", alpn_len > 0 ? protocol : NULL),
		EV_TEXT("sni", sni != NULL ? name : NULL), EV_TEXT("verify", verify),
		EV_TEXT("pin", t->peer->pin[0] != '\0' ? t->peer->pin : NULL),
		EV_NUM("handshake_us", loop_now_us(tls->run->loop) - t->born_us), EV_TEXT("words", words));
}

/* What the peer has shown. */
static void tell_certificate(const struct tls_stream *t)
{
	const struct event_sink *events = t->tls->run->events;
	X509 *cert = event_heard(events, EV_CERTIFICATE) ? SSL_get1_peer_certificate(t->ssl) : NULL;
	char subject[NAME_SHOWN], issuer[NAME_SHOWN], until[32] = "";
	struct tm tm;
	if (cert == NULL)
		return;
	tls_name_words(subject, sizeof subject, X509_get_subject_name(cert));
	tls_name_words(issuer, sizeof issuer, X509_get_issuer_name(cert));
	if (ASN1_TIME_to_tm(X509_getm_notAfter(cert), &tm) == 1)
		strftime(until, sizeof until, "%Y-%m-%dT%H:%M:%SZ", &tm);
	event(events, EV_CERTIFICATE, t->peer->conn, EV_TEXT("subject", subject), EV_TEXT("issuer", issuer),
		EV_TEXT("until", until), EV_TEXT("pin", t->peer->pin));
	X509_free(cert);
}

void tls_forget_peer(struct tls_stream *t)
{
	if (t->peer != NULL)
		mem_free(t->peer->words);
	mem_free(t->peer);
	t->peer = NULL;
	SSL_set_app_data(t->ssl, NULL);
}

/* We have nothing to answer to a client's last message, so its acknowledgement would be delayed, and Nagle's algorithm in the
 * client would hold back its first payload for 40 ms. */
static void tls_handshake_acknowledge(const struct tls_stream *t)
{
#ifdef TCP_QUICKACK
	int on = 1;
	if (t->tls->role == ROLE_ACCEPT)
		sys_setsockopt(stream_bottom(&t->s)->rfd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
#else
	(void)t;
#endif
}

/* The handshake has verified everything; check the results once more, so that no code path of a library decides it. */
static int handshake_done(struct tls_stream *t)
{
	const struct tls *tls = t->tls;
	bool must_pin = tls->role == ROLE_DIAL && tls->client->pins > 0;
	if ((tls->verifies && !t->peer->verified) || (must_pin && !t->peer->pinned))
		return handshake_failed(t, "the peer's certificate was not verified");
	t->ready = true;
	t->half = t->peer->half;
	if (tls->role == ROLE_DIAL && !t->half)
		t->s.caps |= ST_NOHALF;
	tls_handshake_acknowledge(t);
	tell_done(t);
	tell_certificate(t);
	tls_forget_peer(t);
	return 0;
}

int tls_setup(struct stream *s)
{
	struct tls_stream *t = (struct tls_stream *)s;
	if (t->broken)
		return ST_FAIL;
	if (t->born_us == 0)
		t->born_us = loop_now_us(t->tls->run->loop);
	while (!t->ready) {
		if (tls_make_room(t, 0, &s->rd) == ST_AGAIN)
			return ST_AGAIN;
		ERR_clear_error();
		bool gone = t->gone;
		int rc = SSL_do_handshake(t->ssl);
		if (rc == 1) {
			if ((rc = handshake_done(t)) != 0)
				return rc;
			break;
		}
		rc = SSL_get_error(t->ssl, rc);
		if ((rc != SSL_ERROR_WANT_READ && rc != SSL_ERROR_WANT_WRITE) || !speaks_tls(t))
			return judge_failure(t);
		int pushed = tls_push_out(t);
		if (pushed == ST_FAIL && gone) /* and the peer has not sent a reason */
			return broke_off(t);
		if (pushed != ST_FAIL && (rc == SSL_ERROR_WANT_READ || pushed == ST_AGAIN))
			return tls_again_rd(t, rc);
	}
	int pushed = tls_push_out(t);
	if (pushed == ST_AGAIN)
		return stream_again_rd(s, &s->below->wr);
	return pushed == 0 ? 0 : broke_off(t); /* the peer waits for it: there will be no handshake */
}
