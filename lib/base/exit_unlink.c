/* Files removed at exit (exit_unlink.h): identified by device and inode. */
#include "base/exit_unlink.h"

#include "base/mem.h"
#include "base/sys.h"

#include <string.h>
#include <sys/stat.h>

#ifndef O_PATH
#define O_PATH O_RDONLY
#endif

static int open_folder(const char *path, size_t len)
{
	char *folder = len == 0 ? mem_text(*path == '/' ? "/" : ".") : mem_text(path);
	if (folder == NULL)
		return -1;
	if (len > 0)
		folder[len] = '\0';
	int fd = sys_open(folder, O_PATH | O_DIRECTORY, 0);
	mem_free(folder);
	return fd;
}

static int exit_unlink_look(const struct exit_unlink *f, struct stat *st)
{
	return fstatat(f->folder, f->name, st, AT_SYMLINK_NOFOLLOW);
}

int exit_unlink_take(struct exit_unlink *f, const char *path)
{
	struct stat st;
	const char *slash = strrchr(path, '/');
	*f = (struct exit_unlink)EXIT_UNLINK_NONE;
	f->name = mem_text(slash == NULL ? path : slash + 1);
	f->folder = f->name == NULL ? -1 : open_folder(path, slash == NULL ? 0 : (size_t)(slash - path));
	if (f->folder < 0 || exit_unlink_look(f, &st) != 0) {
		int sys = errno;
		sys_close(f->folder);
		mem_free(f->name);
		*f = (struct exit_unlink)EXIT_UNLINK_NONE;
		errno = sys;
		return -1;
	}
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	return 0;
}

void exit_unlink_drop(struct exit_unlink *f)
{
	if (f->name == NULL)
		return;
	sys_close(f->folder);
	mem_free(f->name);
	*f = (struct exit_unlink)EXIT_UNLINK_NONE;
}

void exit_unlink_remove(struct exit_unlink *f)
{
	struct stat st;
	if (f->name != NULL && exit_unlink_look(f, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->ino)
		unlinkat(f->folder, f->name, 0);
	exit_unlink_drop(f);
}
