/* The part of TLS that is fixed before the first connection: versions, disabled features, protocol names, our certificate,
 * trusted authorities, the key log. One SSL_CTX serves all connections of a run. */
#include "tls/tls_internal.h"

#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { READ_AHEAD_BYTES = 64 * 1024, SECURITY_LEVEL = 2 /* RSA from 2048 bits, no SHA-1 */, KEYLOG_LINE = 512 };

/* --- the private extension: both ends say that they go on reading after the other's end --- */

static int half_say(SSL *ssl, unsigned type, unsigned context, const unsigned char **out, size_t *len, X509 *x, size_t chain,
	int *alert, void *arg)
{
	(void)ssl, (void)type, (void)context, (void)x, (void)chain, (void)alert, (void)arg;
	*out = NULL;
	*len = 0;
	return 1;
}

static void half_free(SSL *ssl, unsigned type, unsigned context, const unsigned char *out, void *arg)
{
	(void)ssl, (void)type, (void)context, (void)out, (void)arg;
}

static int half_hear(SSL *ssl, unsigned type, unsigned context, const unsigned char *in, size_t len, X509 *x, size_t chain,
	int *alert, void *arg)
{
	struct tls_peer *peer = SSL_get_app_data(ssl);
	(void)type, (void)context, (void)in, (void)len, (void)x, (void)chain, (void)alert, (void)arg;
	if (peer != NULL)
		peer->half = true;
	return 1;
}

/* --- application protocols --- */

/* The first of ours that the client offers. */
static int alpn_choose(
	SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len, void *arg)
{
	const struct tls *t = arg;
	(void)ssl;
	for (size_t i = 0; i < t->conf->alpn_len; i += 1u + t->conf->alpn[i]) {
		const unsigned char *mine = t->conf->alpn + i;
		for (size_t at = 0; at < in_len; at += 1u + in[at]) {
			if (in[at] != mine[0] || at + 1 + mine[0] > in_len || memcmp(in + at + 1, mine + 1, mine[0]) != 0)
				continue;
			*out = in + at + 1;
			*out_len = mine[0];
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* --- key log --- */

static int write_all(int fd, const char *bytes, size_t n, size_t *done)
{
	while (*done < n) {
		struct iovec v = { (void *)(uintptr_t)(bytes + *done), n - *done };
		ssize_t put = sys_writev(fd, &v, 1);
		if (put < 0 && errno != EINTR)
			return -1;
		*done += put > 0 ? (size_t)put : 0;
	}
	return 0;
}

/* A full disk may have taken part of a line: it is cut off, unless something was appended behind it. Nothing more is written: the
 * next line would only be a part, too. */
static void keylog_end(struct tls *t, size_t piece)
{
	struct stat st;
	off_t end = piece > 0 ? lseek(t->keylog_fd, 0, SEEK_CUR) : -1;
	bool ours = end >= 0 && fstat(t->keylog_fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == end;
	if (ours && ftruncate(t->keylog_fd, end - (off_t)piece) != 0) {
		/* the piece stays */
	}
	sys_close(t->keylog_fd);
	t->keylog_fd = -1;
}

/* In one write, if possible: other processes may append to the file, too. */
static void keylog_line(const SSL *ssl, const char *line)
{
	struct tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	size_t done = 0;
	char text[KEYLOG_LINE], shown[256];
	int n = snprintf(text, sizeof text, "%s\n", line);
	if (t->keylog_fd < 0 || (n < (int)sizeof text && write_all(t->keylog_fd, text, (size_t)n, &done) == 0))
		return;
	struct err e;
	int sys = errno;
	keylog_end(t, done);
	text_show(shown, sizeof shown, t->keylog, strlen(t->keylog));
	err_set(&e, ERR_LOCAL, sys, "write %s", shown);
	run_fail(t->run, &e);
}

static int keylog_open(struct tls *t, struct err *e)
{
	char shown[256];
	const char *variable = "SSLKEYLOGFILE", *path = t->conf->keylog;
	bool asked = path != NULL;
	if (!asked)
		path = getenv(variable);
	if (path == NULL || *path == '\0')
		return 0;
	t->keylog = path;
	t->keylog_fd = sys_open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (t->keylog_fd >= 0)
		return 0;
	int sys = errno;
	text_show(shown, sizeof shown, path, strlen(path));
	return err_set(e, ERR_USAGE, sys, "%s %s", asked ? "--keylog" : variable, shown);
}

/* --- all of it --- */

/* Tickets can lose data: a client that closes while they are unread answers them with a reset. RFC 8446 allows to send none. */
static int set_switches(struct tls *t)
{
	SSL_CTX *ctx = t->ctx;
	int min = t->conf->min == TLS_MIN_13 ? TLS1_3_VERSION : TLS1_2_VERSION;
	SSL_CTX_set_options(
		ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
	if (t->conf->allow_truncation)
		SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF); /* else it could not write after the peer's end */
	SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, READ_AHEAD_BYTES);
	SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
	unsigned in = SSL_EXT_CLIENT_HELLO | SSL_EXT_TLS1_2_SERVER_HELLO | SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS;
	return SSL_CTX_set_num_tickets(ctx, 0) == 1 && SSL_CTX_set_min_proto_version(ctx, min) == 1 &&
			       SSL_CTX_add_custom_ext(ctx, TLS_EXT_HALF, in, half_say, half_free, NULL, half_hear, NULL) == 1
		       ? 0
		       : -1;
}

static int set_alpn(struct tls *t)
{
	const struct tls_conf *conf = t->conf;
	if (conf->alpn_len == 0)
		return 0;
	if (t->role == ROLE_DIAL)
		return SSL_CTX_set_alpn_protos(t->ctx, conf->alpn, conf->alpn_len) == 0 ? 0 : -1;
	SSL_CTX_set_alpn_select_cb(t->ctx, alpn_choose, t);
	return 0;
}

static int no_context(struct err *e)
{
	char reason[TLS_WORDS];
	return err_set(e, ERR_LOCAL, 0, "start TLS: %s", tls_reason(reason));
}

int tls_prepare(struct tls *t, struct err *e)
{
	t->ctx = SSL_CTX_new(t->role == ROLE_DIAL ? TLS_client_method() : TLS_server_method());
	t->bio = tls_bio();
	if (t->ctx == NULL || t->bio == NULL || set_switches(t) != 0 || set_alpn(t) != 0)
		return no_context(e);
	SSL_CTX_set_app_data(t->ctx, t);
	if (t->conf->cert != NULL && tls_load_cert(t, e) != 0)
		return -1;
	if (t->conf->cert == NULL && t->role == ROLE_ACCEPT && tls_make_cert(t) != 0)
		return no_context(e);
	if (tls_load_authorities(t, e) != 0 || keylog_open(t, e) != 0)
		return -1;
	if (t->keylog_fd >= 0)
		SSL_CTX_set_keylog_callback(t->ctx, keylog_line);
	return 0;
}

int tls_open(const struct run *run, void **shared, struct err *e)
{
	struct tls *t = mem_new(sizeof *t);
	if (t == NULL)
		return err_set(e, ERR_LOCAL, ENOMEM, "start TLS");
	*t = (struct tls){
		.run = run,
		.role = run->layers->role,
		.conf = conf_get(run->conf, &tls_opts),
		.client = conf_get(run->conf, &tls_client_opts),
		.server = conf_get(run->conf, &tls_server_opts),
		.keylog_fd = -1,
	};
	*shared = t;
	return tls_lib_open(e) == 0 ? tls_prepare(t, e) : -1;
}

bool tls_built(void)
{
	return true;
}

int tls_push(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	return shared == NULL ? 0 : tls_stream_push(top, link, shared, e);
}

void tls_stop(const struct run *run, void *takes)
{
	struct tls *t = takes;
	(void)run;
	if (t->ctx != NULL)
		SSL_CTX_free(t->ctx);
	if (t->bio != NULL)
		BIO_meth_free(t->bio);
	if (t->keylog_fd >= 0)
		sys_close(t->keylog_fd);
	mem_free(t);
}

const char *tls_own_pin(const void *shared)
{
	const struct tls *t = shared;
	return t->pin[0] != '\0' ? t->pin : NULL;
}
