/* Lists of networks: what --allow and --deny say. */
#ifndef NET_ADMIT_LIST_H
#define NET_ADMIT_LIST_H

#include "base/opt.h"
#include "net/env.h"
#include "net/sa.h"

struct admit_rule { /* zero bits: everybody of that family */
	uint16_t family;
	uint8_t bits;
	unsigned char net[16];
};

struct admit_list { /* zeroed: empty */
	struct admit_rule *v;
	size_t n, cap;
};

/* Adds what each text says: CIDR, address, name (resolved now, all its addresses), @FILE (one per line, # comments). -1 with e
 * (ERR_USAGE, ERR_RESOLVE, ERR_LOCAL) that names option and entry; the list is then the caller's to free all the same. */
int admit_list_read(struct admit_list *l, const struct env *env, const char *option, const struct opt_list *texts, struct err *e);
void admit_list_free(struct admit_list *l);
bool admit_list_has(const struct admit_list *l, const struct sa *sa);

/* The address in network order: 4 or 16 bytes, 0 for neither family. */
size_t admit_bytes(const struct sa *sa, unsigned char out[16]);

#endif
