/* The one decision on who comes in. Pure: no I/O, no clock of its own. The server carries the verdict out. */
#ifndef NET_ADMIT_H
#define NET_ADMIT_H

#include "base/opt.h"
#include "net/env.h"
#include "net/sa.h"

enum verdict { ADMIT_YES, ADMIT_FULL, ADMIT_PER_IP, ADMIT_RATE, ADMIT_DENY, ADMIT_DRAIN, ADMIT_PROXY };
const char *verdict_name(enum verdict v); /* "full", "per_ip", ... as in event `reject` */

extern const struct opt_group admit_opts; /* --allow --deny */
struct admit_conf {
	struct opt_list allow, deny;
};
extern const struct opt_group limit_opts; /* --max --max-per-ip --conn-rate; servers of many */
struct limit_conf {
	int64_t max, per_ip, rate; /* 0: no limit of that kind */
};

struct admit;
/* Reads the lists: CIDR, address, name (resolved now), @FILE (one per line, # comments). v4-mapped counts as v4. NULL with e
 * (ERR_USAGE, ERR_RESOLVE). max overrides --max when not 0. */
struct admit *admit_open(const struct env *env, uint32_t max, struct err *e);
void admit_close(struct admit *takes);
/* deny wins over allow; with any allow the rest is denied; then drain, full, per address (one /64 for IPv6), rate. YES takes a
 * place. Unix peers are never denied and have no address limit. With --proxy-in it is a proxy that comes: one of --proxy-from, or
 * it is PROXY; deny and allow are for whom it announces. */
enum verdict admit_ask(struct admit *a, const struct sa *peer, int64_t now_ms);
/* Whom a proxy announced, that has its place already: YES or DENY. */
enum verdict admit_announced(const struct admit *a, const struct sa *peer);
/* Of one who got FULL or PER_IP: YES, with one place more it comes in; PER_IP, if that place is one of its own address
 * (admit_same); else a place more is of no use to it. Takes nothing. */
enum verdict admit_lacks(struct admit *a, const struct sa *peer, int64_t now_ms);
bool admit_same(const struct sa *a, const struct sa *b);  /* one address to --max-per-ip; never of Unix peers */
void admit_leave(struct admit *a, const struct sa *peer); /* gives the place back */
void admit_rate(struct admit *a, uint32_t a_second);	  /* instead of --conn-rate */
void admit_drain(struct admit *a);			  /* nobody else */
uint32_t admit_active(const struct admit *a);
uint32_t admit_max(const struct admit *a);

#endif
