/* A name of our own for a Unix datagram client, because its peer could not answer without one: what the user has chosen, else on
 * Linux an abstract one of the kernel's; elsewhere it is a path in a folder of ours. A path is removed with the stream. */
#ifndef NET_UNIX_AUTOBIND_H
#define NET_UNIX_AUTOBIND_H

#include "net/addr.h"
#include "stream/stream.h"

int unix_autobind(int fd, const struct addr *chosen, struct err *e); /* chosen: NULL: none. 0, or -1 with e (ERR_LISTEN) */
void unix_autobind_remove(int fd);				     /* before the close of a descriptor that has no stream yet */
/* The stream removes it from now on, from *folder_fd (-1: nothing to remove), which stays open for that. -1 with errno, *top
 * unchanged, the name removed. */
int unix_autobind_push(struct stream **top, int *folder_fd);

#endif
