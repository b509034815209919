/* Verifying the peer: the system's authorities or ours, the name, the pins; and the error if it fails.
 *
 * OpenSSL calls tls_judge once in each handshake that has a certificate; no payload passes before its answer. A pin alone is the
 * trust anchor: the owner of that key is the peer. */
#include "tls/tls_internal.h"

#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { NAMES_SHOWN = 120 };

/* --- words --- */

void tls_name_words(char *out, size_t cap, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	out[0] = '\0';
	if (bio == NULL)
		return;
	X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
	long len = BIO_get_mem_data(bio, &text);
	if (len > 0)
		text_show(out, cap, text, (size_t)len);
	BIO_free(bio);
}

static void alt_names(char *out, size_t cap, const X509 *cert)
{
	int at = X509_get_ext_by_NID(cert, NID_subject_alt_name, -1);
	BIO *bio = at < 0 ? NULL : BIO_new(BIO_s_mem());
	char *text = NULL;
	snprintf(out, cap, "no name");
	if (bio == NULL)
		return;
	long len = X509V3_EXT_print(bio, X509_get_ext(cert, at), 0, 0) == 1 ? BIO_get_mem_data(bio, &text) : 0;
	if (len > 0)
		text_show(out, cap, text, (size_t)len);
	BIO_free(bio);
}

static void tls_verify_say(struct tls_peer *peer, const char *words)
{
	mem_free(peer->words);
	peer->words = mem_text(words);
}

static void say_why(struct tls_peer *peer, const X509_STORE_CTX *store)
{
	char text[2 * TLS_WORDS], subject[NAMES_SHOWN], issuer[NAMES_SHOWN], names[NAMES_SHOWN];
	int code = X509_STORE_CTX_get_error(store);
	const X509 *cert = X509_STORE_CTX_get_current_cert(store);
	bool other = code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH;
	if (cert == NULL) {
		tls_verify_say(peer, X509_verify_cert_error_string(code));
		return;
	}
	tls_name_words(subject, sizeof subject, X509_get_subject_name(cert));
	tls_name_words(issuer, sizeof issuer, X509_get_issuer_name(cert));
	alt_names(names, sizeof names, cert);
	if (other)
		snprintf(text, sizeof text, "the certificate is not for \"%s\" but for %s (subject %s, issuer %s)",
			peer->tls->name, names, subject, issuer);
	else
		snprintf(text, sizeof text, "%s (subject %s, issuer %s)", X509_verify_cert_error_string(code), subject, issuer);
	tls_verify_say(peer, text);
}

/* --- the judgement --- */

static bool tls_verify_pinned(struct tls_peer *peer, X509 *leaf)
{
	const struct tls_client_conf *conf = peer->tls->client;
	unsigned char sum[SHA256_BYTES];
	char text[TLS_WORDS];
	bool known = leaf != NULL && tls_cert_pin(leaf, peer->pin, sum) == 0;
	if (peer->tls->role != ROLE_DIAL || conf->pins == 0)
		return true;
	for (unsigned i = 0; known && i < conf->pins; i++)
		if (memcmp(conf->pin[i], sum, sizeof sum) == 0)
			return peer->pinned = true;
	snprintf(text, sizeof text, "the peer's key is %s and not the pinned one", known ? peer->pin : "unknown");
	tls_verify_say(peer, text);
	return false;
}

static int tls_judge(X509_STORE_CTX *store, void *arg)
{
	const struct tls *t = arg;
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_peer *peer = ssl != NULL ? SSL_get_app_data(ssl) : NULL;
	if (peer == NULL || !tls_verify_pinned(peer, X509_STORE_CTX_get0_cert(store))) {
		X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
		return 0;
	}
	if (!t->verifies) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	if (X509_verify_cert(store) == 1 && X509_STORE_CTX_get_error(store) == X509_V_OK) {
		peer->verified = true;
		return 1;
	}
	if (X509_STORE_CTX_get_error(store) == X509_V_OK)
		X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
	say_why(peer, store);
	return 0;
}

/* --- what to trust --- */

static int tls_verify_trust(struct tls *t, const char *option, const char *path, struct err *e)
{
	char shown[256], reason[TLS_WORDS];
	struct stat st;
	text_show(shown, sizeof shown, path, strlen(path));
	int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0), sys = fd < 0 ? errno : 0;
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_set(e, ERR_USAGE, sys != 0 ? sys : errno, "%s %s", option, shown);
	sys_close(fd);
	ERR_clear_error();
	int rc = S_ISDIR(st.st_mode) ? SSL_CTX_load_verify_dir(t->ctx, path) : SSL_CTX_load_verify_file(t->ctx, path);
	if (rc == 1 && !S_ISDIR(st.st_mode) && t->role == ROLE_ACCEPT)
		SSL_CTX_set_client_CA_list(t->ctx, SSL_load_client_CA_file(path)); /* for the client's choice of certificate */
	if (rc == 1)
		return 0;
	unsigned long code = ERR_peek_error();
	bool none = ERR_GET_LIB(code) == ERR_LIB_X509 && ERR_GET_REASON(code) == X509_R_NO_CERTIFICATE_OR_CRL_FOUND;
	return err_set(e, ERR_USAGE, 0, "%s %s: %s", option, shown, none ? "no certificate (PEM) in it" : tls_reason(reason));
}

static void take_name(struct tls *t)
{
	const struct addr *a = t->run->layers->addr;
	const char *name = t->client->server_name != NULL ? t->client->server_name : a->host;
	struct sa sa;
	snprintf(t->name, sizeof t->name, "%s", name);
	t->named = t->name[0] != '\0' && !sa_parse(&sa, t->name, 0);
	size_t n = strlen(t->name);
	if (t->named && n > 1 && t->name[n - 1] == '.') /* DNS's root, which no certificate has */
		t->name[n - 1] = '\0';
	char *zone = strchr(t->name, '%');
	if (!t->named && zone != NULL)
		*zone = '\0';
}

static int trust_as_client(struct tls *t, struct err *e)
{
	const struct tls_client_conf *conf = t->client;
	take_name(t);
	t->verifies = !conf->insecure && (conf->pins == 0 || conf->ca != NULL);
	if (conf->insecure)
		event(t->run->events, EV_UNSAFE, 0,
			EV_TEXT("text", "--insecure: the peer's certificate is not verified, an impostor is not noticed"));
	if (t->verifies && t->name[0] == '\0')
		return err_set(e, ERR_USAGE, 0, "--tls: %s has no host name to verify; say --server-name, --pin or --insecure",
			t->run->layers->addr->text);
	if (conf->ca != NULL)
		return tls_verify_trust(t, "--ca", conf->ca, e);
	if (t->verifies && SSL_CTX_set_default_verify_paths(t->ctx) != 1)
		return err_set(e, ERR_LOCAL, 0, "--tls: the system's authorities cannot be read");
	return 0;
}

int tls_load_authorities(struct tls *t, struct err *e)
{
	const char *ca = t->server->client_ca;
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(t->ctx);
	bool own = t->role == ROLE_DIAL ? t->client->ca != NULL : ca != NULL;
	int mode = SSL_VERIFY_PEER;
	if (t->role == ROLE_ACCEPT) {
		t->verifies = ca != NULL;
		mode = ca != NULL ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE;
		if (ca != NULL && tls_verify_trust(t, "--client-ca", ca, e) != 0)
			return -1;
	} else if (trust_as_client(t, e) != 0) {
		return -1;
	}
	if (own) /* a named certificate is trusted, root or not */
		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	SSL_CTX_set_verify(t->ctx, mode, NULL);
	SSL_CTX_set_cert_verify_callback(t->ctx, tls_judge, t);
	return 0;
}

/* RFC 9525: names are the alternative names, never the subject's; a wildcard is a whole label. */
int tls_expect_name(const struct tls *t, SSL *ssl)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	if (t->name[0] == '\0')
		return 0;
	if (t->named && SSL_set_tlsext_host_name(ssl, t->name) != 1)
		return -1;
	if (!t->verifies)
		return 0;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	int rc = t->named ? X509_VERIFY_PARAM_set1_host(param, t->name, 0) : X509_VERIFY_PARAM_set1_ip_asc(param, t->name);
	return rc == 1 ? 0 : -1;
}
