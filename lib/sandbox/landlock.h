/* No files and no TCP for the rest of the run but what is asked for: landlock(7), as far as the kernel knows it. */
#ifndef SANDBOX_LANDLOCK_H
#define SANDBOX_LANDLOCK_H

struct landlock_place { /* a folder, and what may be done below it: NEEDS_READ, NEEDS_WRITE or NEEDS_UNLINK */
	int fd;
	unsigned needs;
};

int landlock_abi(void); /* the version of what the kernel can restrict; 0: nothing */

/* needs: NEEDS_DIAL leaves TCP and abstract Unix sockets, NEEDS_ANSWER the latter, NEEDS_CHILD signals. For good. Wants
 * PR_SET_NO_NEW_PRIVS. 0, or the errno. */
int landlock_apply(unsigned needs, const struct landlock_place *places, unsigned n);

#endif
