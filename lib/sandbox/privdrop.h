/* Giving up rights for good: another user, another root folder. */
#ifndef SANDBOX_PRIVDROP_H
#define SANDBOX_PRIVDROP_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

enum { PRIVDROP_GROUPS = 64 };

struct privdrop { /* zeroed: no other user */
	bool user, root;
	uid_t uid;
	gid_t gid, groups[PRIVDROP_GROUPS];
	int groups_n;
	int folder; /* the new root */
	const char *name, *path;
};

/* The user and root to take; either may be NULL. user: a name, or a number. Borrows both. -1 with e (ERR_USAGE): unknown, or we
 * are not root. */
int privdrop_find(struct privdrop *who, const char *user, const char *root, struct err *e);
/* Root folder, groups, user. Then it tries to become root again, and fails (ERR_LOCAL) if it can. -1 with e. */
int privdrop_become(struct privdrop *who, struct err *e);
/* Before that: may this user access the file so (access(2))? 0, or the errno. */
int privdrop_may(const struct privdrop *who, const char *path, int access_mode);
void privdrop_close(struct privdrop *who);

#endif
