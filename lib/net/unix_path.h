/* The file of a listening Unix socket: making room for it, its mode, and removing only our own. */
#ifndef NET_UNIX_PATH_H
#define NET_UNIX_PATH_H

#include "base/exit_unlink.h"
#include "net/addr.h"

/* Binds fd to the path or abstract name of a. A dead socket file there is replaced; a live one, or any other file, is left alone.
 * mode: permission bits of the file, whatever the umask is. verb: what is tried, "listen". -1 with e (ERR_LISTEN), nothing left
 * behind. */
int unix_path_bind(struct exit_unlink *f, int fd, const struct addr *a, mode_t mode, const char *verb, struct err *e);

#endif
