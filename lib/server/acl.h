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

struct acl_name { /* an address of a name; one that has several has a row for each */
	char *text;
	struct sa sa;
};
struct acl_file {
	const char *path;
	int folder; /* stays open, so that the file can be read again in the sandbox; -1: no regular file, which cannot */
};
struct acl_past {   /* what the first reading of all lists keeps for a later one; zeroed before that */
	bool later; /* the first reading is over: names have the addresses that they had then */
	struct acl_name *names;
	struct acl_file *files;
	size_t names_n, names_cap, files_n, files_cap;
};
void acl_past_free(struct acl_past *past);

/* Adds each text: CIDR, address, name (resolved at the first reading, all its addresses), @FILE (one per line, # comments). -1
 * with e (ERR_USAGE, ERR_RESOLVE, ERR_LOCAL) that names option and entry; the list is then still the caller's to free. Later,
 * nothing blocks: only regular files are read. past borrows texts. */
int acl_read(struct acl *l, const struct run *run, struct acl_past *past, const char *option, const struct opt_list *texts,
	struct err *e);
void acl_free(struct acl *l);
bool acl_has(const struct acl *l, const struct sa *sa);

/* The address in network order: 4 or 16 bytes, 0 for neither family. */
size_t acl_bytes(const struct sa *sa, unsigned char out[16]);

#endif
