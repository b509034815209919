/* For tls_*.c, the only files that use OpenSSL: what one run shares, and how the parts call each other. */
#ifndef TLS_TLS_INTERNAL_H
#define TLS_TLS_INTERNAL_H

#include "tls/tls.h"
#include "tls/tls_lib.h"

enum { TLS_SNIFF = 5 /* a record's head */, TLS_BYE = 128 /* a record with an alert, of any cipher */ };

struct tls { /* of one run and one role */
	const struct run *run;
	enum role role;
	const struct tls_conf *conf;
	const struct tls_client_conf *client;
	const struct tls_server_conf *server;
	SSL_CTX *ctx;
	BIO_METHOD *bio;
	const char *keylog; /* its path; NULL: none */
	int keylog_fd;	    /* -1: none */
	bool verifies;	    /* the peer's certificate by its authorities, beside the pins */
	bool named;	    /* `name` is a host name, else an IP address; "" with none to verify */
	char name[256];
	char pin[TLS_PIN_TEXT]; /* of our own certificate; "" none */
};

enum { TLS_EXT_HALF = 0xff5c /* private use: "I understand half-close", empty */, TLS_WORDS = 400 };

struct tls_peer { /* the results of one connection's handshake */
	const struct tls *tls;
	uint32_t conn;
	bool half;		/* it sent TLS_EXT_HALF */
	bool pinned, verified;	/* which of the two checks its certificate passed */
	char pin[TLS_PIN_TEXT]; /* of its key; "" it showed none */
	char *words;		/* why its certificate was refused; NULL: it was not, or no memory */
};

/* tls_context.c: what is prepared before any connection. 0, or -1 with e (ERR_USAGE, ERR_LOCAL); tls_stop then frees what was
 * made. */
int tls_prepare(struct tls *t, struct err *e);

/* tls_cert.c. -1: no memory or no randomness. */
int tls_make_cert(struct tls *t);		 /* and its key, into t->ctx; sets t->pin */
int tls_load_cert(struct tls *t, struct err *e); /* --cert and --key */
int tls_cert_pin(const X509 *cert, char out[TLS_PIN_TEXT], unsigned char sum[SHA256_BYTES]);

/* tls_verify.c: SSL's app data is a struct tls_peer. */
int tls_load_authorities(struct tls *t, struct err *e);		   /* trusted authorities, and the expected name */
void tls_name_words(char *out, size_t cap, const X509_NAME *name); /* of a subject or issuer, shown harmlessly */
int tls_expect_name(const struct tls *t, SSL *ssl);		   /* 0, or -1: no memory */

/* tls_errors.c: why the last call failed, from OpenSSL's queue, which is emptied. */
struct tls_failure {
	enum err_class cls;
	const char *text; /* static */
};
struct tls_failure tls_handshake_words(char out[TLS_WORDS]); /* text is out */
/* After the handshake, as the end of a session's why: "... from", "... to". heard: payload has come already. */
struct tls_failure tls_broken_words(bool heard);
/* The first reason in the queue, for errors about files. */
const char *tls_reason(char out[TLS_WORDS]);

struct tls_stream {
	struct stream s;
	const struct tls *tls;
	SSL *ssl;
	struct tls_peer *peer; /* until the handshake is done */
	char *words;	       /* of its failure */
	unsigned char *out;    /* a block of the pool while records wait; NULL: none wait */
	uint32_t out_at, out_len;
	uint32_t taken, given; /* recent bytes from below, and their payload */
	uint32_t empty;	       /* bytes from below since the last payload */
	int64_t born_us;
	unsigned char sniffed[TLS_SNIFF];
	uint8_t sniffed_n;
	bool wastes;   /* little of what it sends is payload */
	bool rests;    /* so the next turn continues */
	bool floods;   /* none of what it sends is payload */
	bool gone;     /* writing below failed: output is dropped */
	bool ready;    /* the handshake is done */
	bool half;     /* the peer continues to read after its end */
	bool said_bye; /* close_notify is sent, or could not be */
	bool bye_due;  /* it is sent when the stream is closed: */
	unsigned char bye_n, bye[TLS_BYE];
	bool ended;	 /* the peer's end was read */
	bool below_eof;	 /* the connection below has ended */
	bool below_fail; /* reading from below failed */
	bool refused;	 /* the handshake failed: an alert may be waiting */
	bool heard;	 /* payload has come */
	bool broken;	 /* why says how */
};

/* tls_stream.c */
extern const struct stream_ops tls_stream_ops; /* by which one is known in a stack */
int tls_stream_push(struct stream **top, const struct link *link, struct tls *t, struct err *e);

/* tls_bio.c: between OpenSSL and the stream below */
BIO_METHOD *tls_bio(void); /* NULL: no memory */
/* Before each call that may write. 0: there is a block, with so much room if a block has that; AGAIN with *need; FAIL:
 * below->why, and reading is still possible. */
int tls_make_room(struct tls_stream *t, size_t bytes, struct need *need);
void tls_drop_out(struct tls_stream *t);	       /* drops waiting output */
int tls_push_out(struct tls_stream *t);		       /* 0: nothing waits; AGAIN: see below->wr; FAIL: below->why */
int tls_again_rd(struct tls_stream *t, int ssl_error); /* WANT_READ or WANT_WRITE: AGAIN with s.rd set */
int tls_again_wr(struct tls_stream *t, int ssl_error); /* the same with s.wr */

/* tls_handshake.c: the handshake */
int tls_setup(struct stream *s);
void tls_forget_peer(struct tls_stream *t);

#endif
