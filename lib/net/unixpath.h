/* The file of a listening Unix socket: making room for it, its mode, and removing no other than ours. */
#ifndef NET_UNIXPATH_H
#define NET_UNIXPATH_H

#include "io/ownfile.h"
#include "net/addr.h"

/* Binds fd to the path or abstract name of a. A dead socket file there is replaced; a live one, or any other file, is left alone.
 * mode: permission bits of the file, whatever the umask is. -1 with e (ERR_LISTEN), nothing left behind. */
int unixpath_bind(struct ownfile *f, int fd, const struct addr *a, mode_t mode, struct err *e);

#endif
