/* The result of a handshake: its parameters, for the environment of a program, and whether a peer answered. */
#include "tls/tls_internal.h"

#include <stdio.h>

static const struct tls_stream *tls_facts_find(const struct stream *top)
{
	while (top != NULL && top->ops != &tls_stream_ops)
		top = top->below;
	return (const struct tls_stream *)(const void *)top;
}

bool tls_unheard(const struct stream *top)
{
	const struct tls_stream *t = tls_facts_find(top);
	return t != NULL && t->broken && !t->ready && (t->below_eof || t->below_fail || t->gone) && t->sniffed_n == 0;
}

bool tls_facts(const struct stream *top, struct tls_facts *out)
{
	const struct tls_stream *t = tls_facts_find(top);
	const unsigned char *alpn = NULL;
	unsigned char sum[SHA256_BYTES];
	unsigned len = 0;
	if (t == NULL)
		return false;
	const SSL *ssl = t->ssl;
	*out = (struct tls_facts){ .version = SSL_get_version(ssl), .cipher = SSL_get_cipher(ssl) };
	SSL_get0_alpn_selected(ssl, &alpn, &len);
	snprintf(out->alpn, sizeof out->alpn, "%.*s", (int)len, alpn != NULL ? (const char *)alpn : "");
	X509 *cert = SSL_get1_peer_certificate(ssl);
	if (cert != NULL)
		tls_cert_pin(cert, out->pin, sum);
	X509_free(cert);
	return true;
}
