/* The services: what our end of each connection is wired to. A service is one file with a `struct service` (net/service.h), and a
 * row in service.c. Chat and talk, which are more than one file, declare themselves in their own headers. */
#ifndef SERVICES_SERVICE_H
#define SERVICES_SERVICE_H

#include "session/session.h"

extern const struct service service_stdio;   /* stdin to the peer, the peer to stdout */
extern const struct service service_console; /* stdin to all clients, their lines to stdout */
extern const struct service service_echo;
extern const struct service service_file;    /* --file PATH */
extern const struct service service_discard; /* --discard */
extern const struct service service_zero;    /* --zero */
extern const struct service service_exec;    /* -e CMD, -- PROG ARG... */
extern const struct service service_forward; /* --forward ADDRESS */

/* The one service that an option requests, else the mode's own. NULL with e (ERR_USAGE) if two are requested. */
const struct service *service_pick(const struct run *run, const struct service *own, struct err *e);

extern const struct opt_group stdio_opts; /* services/stdio_opts.c */
enum { HALF_CLOSE_AUTO, HALF_CLOSE_YES, HALF_CLOSE_NO };
struct stdio_conf {
	int end;	/* 0 auto, 1 both, 2 peer */
	int half_close; /* HALF_CLOSE_AUTO .. NO */
	int label;	/* LABEL_NONE, LABEL_SENDER */
	bool recv_only, send_only, raw, keep_stdin, hex;
	int64_t datagram_bytes, reply_wait_ms, replies, reads, quit_ms, pace_ms;
};

extern const struct opt_group forward_opts; /* services/forward.c */
extern const struct opt_group source_opts;  /* services/source.c: --file --discard --zero */
extern const struct opt_group exec_opts;    /* services/exec.c: -e --exec-socket */
extern const struct opt_group console_opts; /* services/console.c: --label --commands */

#endif
