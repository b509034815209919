/* Another user and another root folder (privdrop.h). The user is looked up while the system's files are still visible.
 * Supplementary groups are dropped first, then the group, then the user, because each step needs the rights that the next one
 * drops. */
#include "sandbox/privdrop.h"

#include "base/num.h"
#include "base/sys.h"
#include "base/text.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN = 256 };

static const char *privdrop_shown(const char *text, char out[SHOWN])
{
	text_show(out, SHOWN, text, strlen(text));
	return out;
}

static int find_user(struct privdrop *who, struct err *e)
{
	char name[SHOWN];
	int64_t number = -1;
	const struct passwd *entry = getpwnam(who->name);
	if (entry == NULL && num_int(who->name, 0, INT_MAX, &number, NULL) != 0)
		return err_set(e, ERR_USAGE, 0, "--user %s: there is no such user", privdrop_shown(who->name, name));
	if (entry == NULL)
		entry = getpwuid((uid_t)number);
	who->user = true;
	who->uid = entry != NULL ? entry->pw_uid : (uid_t)number;
	who->gid = entry != NULL ? entry->pw_gid : (gid_t)number;
	who->groups_n = PRIVDROP_GROUPS;
	if (entry == NULL || getgrouplist(entry->pw_name, who->gid, who->groups, &who->groups_n) < 0) {
		who->groups[0] = who->gid; /* no name, or too many groups: the first is enough */
		who->groups_n = 1;
	}
	return 0;
}

static int find_root(struct privdrop *who, struct err *e)
{
	char path[SHOWN];
	who->folder = sys_open(who->path, O_RDONLY | O_DIRECTORY, 0);
	if (who->folder < 0)
		return err_set(e, ERR_USAGE, errno, "--chroot %s", privdrop_shown(who->path, path));
	who->root = true;
	return 0;
}

int privdrop_find(struct privdrop *who, const char *user, const char *root, struct err *e)
{
	*who = (struct privdrop){ .name = user, .path = root, .folder = -1 };
	if ((user != NULL || root != NULL) && geteuid() != 0)
		return err_set(e, ERR_USAGE, 0, "--%s: only root can do that", user != NULL ? "user" : "chroot");
	if (user != NULL && find_user(who, e) != 0)
		return -1;
	return root != NULL ? find_root(who, e) : 0;
}

static bool act_as(gid_t gid, uid_t uid, const gid_t *groups, int n)
{
	return setgroups((size_t)n, groups) == 0 && setegid(gid) == 0 && seteuid(uid) == 0;
}

int privdrop_may(const struct privdrop *who, const char *path, int access_mode)
{
	gid_t before[PRIVDROP_GROUPS], gid = getegid();
	if (!who->user)
		return 0;
	int n = getgroups(PRIVDROP_GROUPS, before), sys = 0;
	if (n < 0)
		return 0; /* this user could not become itself again */
	if (!act_as(who->gid, who->uid, who->groups, who->groups_n) || faccessat(AT_FDCWD, path, access_mode, AT_EACCESS) != 0)
		sys = errno;
	return seteuid(0) == 0 && setegid(gid) == 0 && setgroups((size_t)n, before) == 0 ? sys : errno;
}

static int change_root(struct privdrop *who, struct err *e)
{
	char path[SHOWN];
	bool changed = fchdir(who->folder) == 0 && chroot(".") == 0 && chdir("/") == 0;
	return changed ? 0 : err_set(e, ERR_LOCAL, errno, "--chroot %s", privdrop_shown(who->path, path));
}

static int change_user(const struct privdrop *who, struct err *e)
{
	char name[SHOWN];
	size_t n = (size_t)who->groups_n;
	bool changed = setgroups(n, who->groups) == 0 && setgid(who->gid) == 0 && setuid(who->uid) == 0;
	return changed ? 0 : err_set(e, ERR_LOCAL, errno, "--user %s", privdrop_shown(who->name, name));
}

/* What an attacker would try. Each call succeeds for root, and for a process that has kept a part of root's rights. */
static bool can_get_back(const struct privdrop *who)
{
	static const gid_t root_group[1];
	if (!who->user || who->uid == 0)
		return false;
	return setuid(0) == 0 || seteuid(0) == 0 || (who->gid != 0 && (setgid(0) == 0 || setegid(0) == 0)) ||
	       setgroups(1, root_group) == 0 || chroot("/") == 0 || geteuid() != who->uid || getuid() != who->uid ||
	       getegid() != who->gid || getgid() != who->gid;
}

int privdrop_become(struct privdrop *who, struct err *e)
{
	char name[SHOWN];
	int rc = (who->root && change_root(who, e) != 0) || (who->user && change_user(who, e) != 0) ? -1 : 0;
	privdrop_close(who);
	if (rc == 0 && can_get_back(who))
		return err_set(
			e, ERR_LOCAL, 0, "--user %s: the process could become root again", privdrop_shown(who->name, name));
	return rc;
}

void privdrop_close(struct privdrop *who)
{
	if (who->root)
		sys_close(who->folder);
	who->folder = -1;
}
