/* Becoming another program, which finds signals as the process that started us had left them. */
#ifndef LOOP_BECOME_H
#define LOOP_BECOME_H

#include "base/err.h"

/* First thing in main: keeps what we inherited, unblocks all signals, and ignores those that would end or stop us amid a write.
 */
void become_note(void);
/* Executes argv[0], found along $PATH, in our place. Returns only where that failed:
 * -1 with e. After everything of ours has been closed. */
int become(char *const argv[], struct err *e);

#endif
