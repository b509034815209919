/* A file of ours that is removed at exit: from its folder, which stays open for that, and only if it is still ours. So it works
 * when no name can be opened any more (sandbox/sandbox.h), and after the folder is renamed. */
#ifndef BASE_EXIT_UNLINK_H
#define BASE_EXIT_UNLINK_H

#include <stddef.h>
#include <sys/types.h>

struct exit_unlink {
	int folder; /* -1: none */
	char *name; /* in it */
	dev_t dev;
	ino_t ino;
};
#define EXIT_UNLINK_NONE                                                                                                         \
	{                                                                                                                        \
		.folder = -1                                                                                                     \
	}

/* The file at path, which exists, is ours. 0, or -1 with errno: it will stay behind. */
int exit_unlink_take(struct exit_unlink *f, const char *path);
void exit_unlink_drop(struct exit_unlink *f); /* it stays; closes the folder */
/* Removes it if it is still ours, and closes the folder; may be called twice. */
void exit_unlink_remove(struct exit_unlink *f);

#endif
