/* Errors of TLS in words. OpenSSL's queue holds numbers; users need to know which end is at fault and what to do. */
#include "tls/tls_internal.h"

#include <stdio.h>

enum { ALERT_BASE = SSL_AD_REASON_OFFSET }; /* reasons from here on are the peer's alerts */

/* RFC 8446, 6.2. The first sentence is for handshakes, the second for a session's why. */
#define ALERT(number, name, said)                                                                                                \
	{                                                                                                                        \
		number, said " (TLS alert: " name ")", "TLS alert (" name ") from"                                               \
	}
static const struct {
	unsigned number;
	const char *handshake, *later;
} alerts[] = {
	ALERT(0, "close notify", "the peer ended the handshake"),
	ALERT(10, "unexpected message", "the peer did not expect our message"),
	ALERT(20, "bad record MAC", "the peer could not decrypt what we sent"),
	ALERT(22, "record overflow", "the peer found our record too long"),
	ALERT(40, "handshake failure", "the peer found nothing in common with us"),
	ALERT(42, "bad certificate", "the peer refused our certificate"),
	ALERT(43, "unsupported certificate", "the peer refused our certificate's kind"),
	ALERT(44, "certificate revoked", "the peer refused our certificate"),
	ALERT(45, "certificate expired", "the peer refused our certificate"),
	ALERT(46, "certificate unknown", "the peer refused our certificate"),
	ALERT(47, "illegal parameter", "the peer refused the handshake"),
	ALERT(48, "unknown CA", "the peer does not know who issued our certificate"),
	ALERT(49, "access denied", "the peer refused our certificate"),
	ALERT(50, "decode error", "the peer could not read our message"),
	ALERT(51, "decrypt error", "the peer could not verify our signature"),
	ALERT(70, "protocol version", "the peer does not speak our versions of TLS"),
	ALERT(71, "insufficient security", "the peer wants stronger ciphers"),
	ALERT(80, "internal error", "the peer failed"),
	ALERT(86, "inappropriate fallback", "the peer refused the version"),
	ALERT(90, "user canceled", "the peer gave up"),
	ALERT(109, "missing extension", "the peer missed an extension"),
	ALERT(110, "unsupported extension", "the peer did not ask for an extension of ours"),
	ALERT(112, "unrecognized name", "the peer does not know the name we asked for"),
	ALERT(113, "bad certificate status response", "the peer refused our certificate"),
	ALERT(116, "certificate required", "the peer wants a client certificate (--cert)"),
	ALERT(120, "no application protocol", "the peer speaks none of the protocols of --alpn"),
};
enum { ALERTS = sizeof alerts / sizeof alerts[0] };

static const struct {
	int reason;
	const char *text; /* of a handshake */
} reasons[] = {
	{ SSL_R_WRONG_VERSION_NUMBER, "the peer does not speak TLS, or not this version" },
	{ SSL_R_HTTP_REQUEST, "the peer does not speak TLS: it sent a plain HTTP request" },
	{ SSL_R_HTTPS_PROXY_REQUEST, "the peer does not speak TLS: it sent a plain HTTP request" },
	{ SSL_R_UNSUPPORTED_PROTOCOL, "no version of TLS in common with the peer" },
	{ SSL_R_NO_SHARED_CIPHER, "no cipher in common with the peer" },
	{ SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the client showed no certificate" },
	{ SSL_R_NO_APPLICATION_PROTOCOL, "the client speaks none of the protocols of --alpn" },
	{ SSL_R_UNEXPECTED_EOF_WHILE_READING, "the peer closed the connection during the handshake" },
	{ SSL_R_DH_KEY_TOO_SMALL, "the peer's Diffie-Hellman key is too weak" },
	{ SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED, "the peer's TLS allows unsafe renegotiation" },
};

const char *tls_reason(char out[TLS_WORDS])
{
	unsigned long code = ERR_peek_error();
	const char *text = ERR_reason_error_string(code);
	snprintf(out, TLS_WORDS, "%s", text != NULL ? text : code != 0 ? "OpenSSL does not say why" : "no memory");
	ERR_clear_error();
	return out;
}

static int first_of_ssl(void)
{
	unsigned long code = ERR_peek_error();
	return ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
}

struct tls_failure tls_handshake_words(char out[TLS_WORDS])
{
	struct tls_failure f = { ERR_TLS, out };
	int reason = first_of_ssl();
	for (size_t i = 0; i < ALERTS; i++) {
		if (reason != ALERT_BASE + (int)alerts[i].number)
			continue;
		snprintf(out, TLS_WORDS, "%s", alerts[i].handshake);
		ERR_clear_error();
		return f;
	}
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		if (reason != reasons[i].reason)
			continue;
		snprintf(out, TLS_WORDS, "%s", reasons[i].text);
		ERR_clear_error();
		return f;
	}
	char why[TLS_WORDS - 32];
	const char *text = ERR_reason_error_string(ERR_peek_error());
	if (ERR_peek_error() == 0) { /* OpenSSL does not count it as a failure: the peer's close_notify */
		snprintf(out, TLS_WORDS, "%s", alerts[0].handshake);
		return f;
	}
	snprintf(why, sizeof why, "%s", text != NULL ? text : "for no reason that OpenSSL knows");
	snprintf(out, TLS_WORDS, "the handshake failed: %s", why);
	ERR_clear_error();
	return f;
}

struct tls_failure tls_broken_words(bool heard)
{
	struct tls_failure f = { heard ? ERR_LOST : ERR_TLS, "TLS data that does not decrypt from" };
	int reason = first_of_ssl();
	for (size_t i = 0; i < ALERTS; i++)
		if (reason == ALERT_BASE + (int)alerts[i].number)
			f.text = alerts[i].later;
	ERR_clear_error();
	return f;
}
