/* Lists of networks: the values of --allow and --deny. */
#ifndef SERVER_ACL_H
#define SERVER_ACL_H

#include "base/opt.h"
#include "net/run.h"
#include "net/sockaddr.h"

struct acl_rule { /* zero bits: all of that family */
	uint16_t family;
	uint8_t bits;
	unsigned char net[16];
};

struct acl { /* zeroed: empty */
	struct acl_rule *v;
	size_t n, cap;
};

/* Adds each text: CIDR, address, name (resolved now, all its addresses), @FILE (one per line, # comments). -1 with e (ERR_USAGE,
 * ERR_RESOLVE, ERR_LOCAL) that names option and entry; the list is then still the caller's to free. */
int acl_read(struct acl *l, const struct run *run, const char *option, const struct opt_list *texts, struct err *e);
void acl_free(struct acl *l);
bool acl_has(const struct acl *l, const struct sa *sa);

/* The address in network order: 4 or 16 bytes, 0 for neither family. */
size_t acl_bytes(const struct sa *sa, unsigned char out[16]);

#endif
