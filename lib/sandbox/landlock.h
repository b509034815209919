/* Takes files and TCP from the rest of the run, except what is requested: landlock(7), as far as the kernel knows it. */
#ifndef SANDBOX_LANDLOCK_H
#define SANDBOX_LANDLOCK_H

struct landlock_place { /* a folder, and the rights below it: NEEDS_READ, NEEDS_WRITE or NEEDS_UNLINK */
	int fd;
	unsigned needs;
};

int landlock_abi(void); /* the version; 0: there is none */

/* needs: NEEDS_DIAL leaves TCP and abstract Unix sockets, NEEDS_ANSWER the latter, NEEDS_CHILD signals. Cannot be undone.
 * Requires PR_SET_NO_NEW_PRIVS. 0, or the errno. */
int landlock_apply(unsigned needs, const struct landlock_place *places, unsigned n);

#endif
