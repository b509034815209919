/* What a handshake agreed on, for whoever tells a program of it. */
#include "net/tls_parts.h"

#include <stdio.h>
#include <string.h>

bool tls_facts(const struct stream *top, struct tls_facts *out)
{
	const unsigned char *alpn = NULL;
	unsigned char sum[SHA256_BYTES];
	unsigned len = 0;
	while (top != NULL && strcmp(top->ops->name, "tls") != 0)
		top = top->below;
	if (top == NULL)
		return false;
	const SSL *ssl = ((const struct tls_stream *)(const void *)top)->ssl;
	*out = (struct tls_facts){ .version = SSL_get_version(ssl), .cipher = SSL_get_cipher(ssl) };
	SSL_get0_alpn_selected(ssl, &alpn, &len);
	snprintf(out->alpn, sizeof out->alpn, "%.*s", (int)len, alpn != NULL ? (const char *)alpn : "");
	X509 *cert = SSL_get1_peer_certificate(ssl);
	if (cert != NULL)
		tls_cert_pin(cert, out->pin, sum);
	X509_free(cert);
	return true;
}
