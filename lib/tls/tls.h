/* TLS as a layer: its options, and the three functions of its row. No other code knows of TLS.
 *
 * The options are in every build. tls_*.c need OpenSSL; a build without it has tls_none.c instead, which refuses them. */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "base/sha256.h"
#include "net/layer.h"

enum { TLS_ALPN_MOST = 255, TLS_PINS_MOST = 8, TLS_PIN_TEXT = 64 };

extern const struct opt_group tls_opts; /* of both ends */
struct tls_conf {
	const char *cert, *key, *keylog;
	int min; /* enum tls_min */
	bool allow_truncation;
	uint8_t alpn_len;
	unsigned char alpn[TLS_ALPN_MOST]; /* as RFC 7301 writes it: each name behind its length */
};
enum tls_min { TLS_MIN_12, TLS_MIN_13 };

extern const struct opt_group tls_client_opts;
struct tls_client_conf {
	const char *ca, *server_name;
	bool insecure;
	unsigned pins;
	unsigned char pin[TLS_PINS_MOST][SHA256_BYTES]; /* of a peer's public key (DER SubjectPublicKeyInfo) */
};

extern const struct opt_group tls_server_opts;
struct tls_server_conf {
	const char *client_ca;
};

/* The row: loads the library, certificates and keys; pushes the layer; frees. Failures are ERR_USAGE, before any socket. */
int tls_start(const struct run *run, void **shared, struct err *e);
int tls_push(struct stream **top, const struct link *link, void *shared, struct err *e);
void tls_stop(const struct run *run, void *takes);
/* As tls_start, for a service that says itself, in layers->tls_later, whether its connections get TLS later. */
int tls_later(const struct run *run, void **shared, struct err *e);
bool tls_built(void); /* into this program */

/* Will a handshake read authorities from a folder (which OpenSSL does when it needs one)? Of our clients, or of dials, that we
 * dial later; NULL: none. */
bool tls_reads_later(const struct run *run, const struct addr *dials);

/* Of our own certificate: "sha256//BASE64"; NULL: we have none. */
const char *tls_pin(const struct run *run);
void tls_tell_pin(const struct run *run); /* of a certificate made for this run, which is known only here */

struct tls_facts { /* of one connection after its handshake */
	const char *version, *cipher;
	char alpn[TLS_ALPN_MOST + 1]; /* what both chose; "" nothing */
	char pin[TLS_PIN_TEXT];	      /* of the peer's key; "" it showed none */
};
bool tls_facts(const struct stream *top, struct tls_facts *out); /* false: there is no TLS in that stack */
/* A handshake failed because the peer closed before it had sent a byte: there may be no server behind it yet. */
bool tls_unheard(const struct stream *top);

/* For tls*.c: what tls.c passes on when TLS was requested and its options agree. */
int tls_open(const struct run *run, void **shared, struct err *e);
const char *tls_own_pin(const void *shared);
/* "sha256//" and the 44 characters of BASE64. */
const char *tls_pin_text(const unsigned char sum[SHA256_BYTES], char out[TLS_PIN_TEXT]);

#endif
