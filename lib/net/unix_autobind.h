/* A name of our own for a Unix datagram client, because its peer could not answer without one. On Linux the kernel gives an
 * abstract one; elsewhere it is a path in a folder of ours, removed with the stream. */
#ifndef NET_UNIX_AUTOBIND_H
#define NET_UNIX_AUTOBIND_H

#include "stream/stream.h"

int unix_autobind(int fd, struct err *e);    /* 0, or -1 with e (ERR_LISTEN) */
void unix_autobind_remove(int fd);	     /* before the close of a descriptor that has no stream yet */
int unix_autobind_push(struct stream **top); /* the stream removes it from now on. -1: no memory, *top unchanged */

#endif
