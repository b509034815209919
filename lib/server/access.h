/* The decision to admit a peer. Pure: no I/O, no clock of its own. The server carries it out. */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include "base/opt.h"
#include "net/run.h"
#include "net/sockaddr.h"

enum access_answer { ACCESS_YES, ACCESS_FULL, ACCESS_PER_IP, ACCESS_RATE, ACCESS_DENY, ACCESS_DRAIN, ACCESS_PROXY };
const char *access_name(enum access_answer v); /* "full", "per_ip", ... as in event `reject` */

extern const struct opt_group access_opts; /* --allow --deny */
struct access_conf {
	struct opt_list allow, deny;
};
extern const struct opt_group limit_opts; /* --max --max-per-ip --conn-rate; servers of many */
struct limit_conf {
	int64_t max, per_ip, rate; /* 0: no limit of that kind */
};

struct access;
/* Reads the lists: CIDR, address, name (resolved now), @FILE (one per line, # comments). v4-mapped counts as v4. NULL with e
 * (ERR_USAGE, ERR_RESOLVE). max overrides --max when not 0. */
struct access *access_open(const struct run *run, uint32_t max, struct err *e);
void access_close(struct access *takes);
/* deny is stronger than allow; with any allow all others are denied; then drain, full, per address (one /64 for IPv6), rate. YES
 * takes a place. Unix peers are never denied and have no address limit. With --proxy-in the peer is a proxy: it must be one of
 * --proxy-from, else the answer is PROXY; deny and allow apply to the announced client. */
enum access_answer access_ask(struct access *a, const struct sa *peer, int64_t now_ms);
/* For a client announced by a proxy, which has its place already: YES or DENY. */
enum access_answer access_announced(const struct access *a, const struct sa *peer);
/* For a peer that got FULL or PER_IP: YES, if one more place admits it; PER_IP, if that place must be one of its own address
 * (access_same); else one more place does not help. Takes nothing. */
enum access_answer access_lacks(struct access *a, const struct sa *peer, int64_t now_ms);
bool access_same(const struct sa *a, const struct sa *b);   /* one address to --max-per-ip; never true for Unix peers */
void access_leave(struct access *a, const struct sa *peer); /* returns the place */
void access_rate(struct access *a, uint32_t a_second);	    /* instead of --conn-rate */
void access_drain(struct access *a);			    /* admits no more */
uint32_t access_active(const struct access *a);
uint32_t access_max(const struct access *a);

#endif
