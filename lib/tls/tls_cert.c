/* Our own certificate: from files, or made for this run; and the pin of any certificate. */
#include "tls/tls_internal.h"

#include "base/sys.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { DAYS = 7, DAY_S = 24 * 60 * 60, CLOCK_SKEW_S = 60 * 60, SPKI_MOST = 16384 };

int tls_cert_pin(const X509 *cert, char out[TLS_PIN_TEXT], unsigned char sum[SHA256_BYTES])
{
	unsigned char der[SPKI_MOST], *at = der;
	X509_PUBKEY *key = X509_get_X509_PUBKEY(cert);
	int len = key == NULL ? -1 : i2d_X509_PUBKEY(key, NULL);
	if (len <= 0 || len > SPKI_MOST || i2d_X509_PUBKEY(key, &at) != len)
		return -1;
	struct sha256 hash;
	sha256_init(&hash);
	sha256_add(&hash, der, (size_t)len);
	sha256_end(&hash, sum);
	tls_pin_text(sum, out);
	return 0;
}

/* --- from files --- */

/* OpenSSL's error for a missing file is poor, and a FIFO would block. */
static int look_at(const char *option, const char *path, struct err *e)
{
	char shown[256];
	text_show(shown, sizeof shown, path, strlen(path));
	int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0), sys = errno;
	if (fd < 0)
		return err_set(e, ERR_USAGE, sys, "%s %s", option, shown);
	char one;
	struct iovec v = { &one, 1 };
	ssize_t n;
	while ((n = sys_readv(fd, &v, 1)) < 0 && errno == EINTR)
		;
	sys = errno;
	sys_close(fd);
	if (n < 0)
		return err_set(e, ERR_USAGE, sys, "%s %s", option, shown);
	return n > 0 ? 0 : err_set(e, ERR_USAGE, 0, "%s %s: the file is empty", option, shown);
}

static int ask_password(char *buf, int size, int writing, void *arg)
{
	(void)buf, (void)size, (void)writing;
	*(bool *)arg = true;
	return -1;
}

static int tls_cert_refuse(struct err *e, const char *option, const char *path, const char *why)
{
	char shown[256];
	text_show(shown, sizeof shown, path, strlen(path));
	return err_set(e, ERR_USAGE, 0, "%s %s: %s", option, shown, why);
}

static int load_key(struct tls *t, struct err *e)
{
	char reason[TLS_WORDS];
	bool apart = t->conf->key != NULL, encrypted = false;
	const char *path = apart ? t->conf->key : t->conf->cert, *option = apart ? "--key" : "--cert";
	if (apart && look_at(option, path, e) != 0)
		return -1;
	SSL_CTX_set_default_passwd_cb(t->ctx, ask_password);
	SSL_CTX_set_default_passwd_cb_userdata(t->ctx, &encrypted);
	ERR_clear_error();
	int rc = SSL_CTX_use_PrivateKey_file(t->ctx, path, SSL_FILETYPE_PEM);
	SSL_CTX_set_default_passwd_cb(t->ctx, NULL);
	SSL_CTX_set_default_passwd_cb_userdata(t->ctx, NULL);
	if (encrypted)
		return tls_cert_refuse(e, option, path, "the private key is encrypted; write it decrypted with openssl pkey");
	if (rc == 1)
		return 0;
	unsigned long code = ERR_peek_error();
	if (ERR_GET_LIB(code) == ERR_LIB_X509 && ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH)
		return tls_cert_refuse(e, option, path, "the key does not belong to the certificate");
	if (!apart)
		return tls_cert_refuse(e, option, path, "a certificate without its key; name it with --key");
	snprintf(reason, sizeof reason, "no private key (PEM) in it");
	return tls_cert_refuse(e, option, path, reason);
}

int tls_load_cert(struct tls *t, struct err *e)
{
	const char *path = t->conf->cert;
	char reason[TLS_WORDS], why[TLS_WORDS + 64];
	if (look_at("--cert", path, e) != 0)
		return -1;
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(t->ctx, path) != 1) {
		unsigned long code = ERR_peek_error();
		bool none = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
		tls_reason(reason);
		snprintf(why, sizeof why, none ? "no certificate (PEM) in it" : "cannot be used: %s", reason);
		return tls_cert_refuse(e, "--cert", path, why);
	}
	if (load_key(t, e) != 0)
		return -1;
	unsigned char sum[SHA256_BYTES];
	const X509 *leaf = SSL_CTX_get0_certificate(t->ctx);
	ERR_clear_error();
	if (SSL_CTX_check_private_key(t->ctx) == 1 && leaf != NULL && tls_cert_pin(leaf, t->pin, sum) == 0)
		return 0;
	const char *key = t->conf->key;
	return tls_cert_refuse(
		e, key != NULL ? "--key" : "--cert", key != NULL ? key : path, "the key does not belong to the certificate");
}

/* --- made for this run --- */

static EVP_PKEY *make_key(void)
{
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
	bool well = ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1 &&
		    EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_X9_62_prime256v1) == 1 && EVP_PKEY_keygen(ctx, &key) == 1;
	EVP_PKEY_CTX_free(ctx);
	return well ? key : NULL;
}

static bool plain_name(const char *host)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
	return host[0] != '\0' && strspn(host, letters) == strlen(host);
}

/* localhost, both loopback addresses, and the host that we listen on. */
static int add_names(X509 *cert, const struct addr *a)
{
	char names[400] = "DNS:localhost,IP:127.0.0.1,IP:::1";
	size_t n = strlen(names);
	struct sa sa;
	bool number = sa_parse(&sa, a->host, 0);
	if (number && strchr(a->host, '%') == NULL)
		snprintf(names + n, sizeof names - n, ",IP:%s", a->host);
	else if (!number && plain_name(a->host) && strcmp(a->host, "localhost") != 0)
		snprintf(names + n, sizeof names - n, ",DNS:%s", a->host);
	X509_EXTENSION *ext = X509V3_EXT_nconf_nid(NULL, NULL, NID_subject_alt_name, names);
	int rc = ext != NULL && X509_add_ext(cert, ext, -1) == 1 ? 0 : -1;
	X509_EXTENSION_free(ext);
	return rc;
}

static int add_usage(X509 *cert)
{
	X509_EXTENSION *ext = X509V3_EXT_nconf_nid(NULL, NULL, NID_ext_key_usage, "serverAuth");
	int rc = ext != NULL && X509_add_ext(cert, ext, -1) == 1 ? 0 : -1;
	X509_EXTENSION_free(ext);
	return rc;
}

static int tls_cert_fill(X509 *cert, EVP_PKEY *key, const struct addr *a)
{
	X509_NAME *name = X509_get_subject_name(cert);
	uint64_t serial = (uint64_t)(sys_random() >> 1) << 32 | sys_random();
	bool well = X509_set_version(cert, X509_VERSION_3) == 1 &&
		    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial) == 1 &&
		    X509_gmtime_adj(X509_getm_notBefore(cert), -CLOCK_SKEW_S) != NULL &&
		    X509_gmtime_adj(X509_getm_notAfter(cert), DAYS * DAY_S) != NULL && X509_set_pubkey(cert, key) == 1 &&
		    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"sockctl", -1, -1, 0) == 1 &&
		    X509_set_issuer_name(cert, name) == 1;
	return well && add_names(cert, a) == 0 && add_usage(cert) == 0 && X509_sign(cert, key, EVP_sha256()) > 0 ? 0 : -1;
}

int tls_make_cert(struct tls *t)
{
	unsigned char sum[SHA256_BYTES];
	EVP_PKEY *key = make_key();
	X509 *cert = key != NULL ? X509_new() : NULL;
	bool well = cert != NULL && tls_cert_fill(cert, key, t->run->layers->addr) == 0 &&
		    SSL_CTX_use_certificate(t->ctx, cert) == 1 && SSL_CTX_use_PrivateKey(t->ctx, key) == 1 &&
		    tls_cert_pin(cert, t->pin, sum) == 0;
	X509_free(cert);
	EVP_PKEY_free(key);
	return well ? 0 : -1;
}
