/* OpenSSL 3, loaded only if a run asks for TLS: other runs pay nothing, and the program also runs without it. A file that
 * includes this calls OpenSSL's functions by name, as if linked (tls_lib.def). */
#ifndef TLS_TLS_LIB_H
#define TLS_TLS_LIB_H

#include "base/err.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pemerr.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>
#include <openssl/x509v3.h>

int tls_lib_open(struct err *e); /* once or more often; -1: "TLS needs libssl 3", ERR_USAGE */

#endif
