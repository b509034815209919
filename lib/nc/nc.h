/* Called by the name of nc: its options mean what they mean in Debian's netcat-openbsd, in the modes of sockctl. */
#ifndef NC_NC_H
#define NC_NC_H

#include "base/err.h"
#include "report/persona.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct nc_letter {
	char ch;
	const char *arg;     /* NULL: it takes no value */
	const char *ours;    /* our option that does the same; NULL: another word, or nothing, is needed */
	const char *sockopt; /* ... or the socket option */
	const char *advice;  /* for a user who types it after a mode of ours that has no such letter; NULL: none */
	const char *help;    /* NULL: the drop-in does not have it, and says */
	const char *instead; /* this */
};
extern const struct nc_letter nc_letters[]; /* ends with a ch of 0 (nc/nc_letters.c) */
const struct nc_letter *nc_letter(char ch); /* NULL: nc has no such option */

enum { NC_WORDS = 64, NC_TEXT = 4096, NC_ADDRS = 16, NC_PORTS = 65536 };

struct nc_addr { /* of a host that is scanned */
	char host[64];
	char why[64]; /* it failed last; "": it did not */
};

struct nc {
	char *argv[NC_WORDS + 1]; /* the same as a command line of sockctl; borrows from main's argv and from text */
	int argc;
	bool help; /* -h: instead of a run */

	/* What its output needs: */
	bool listens, scans, udp, local, verbose, numeric, proxied;
	const char *host; /* as typed, or the path; NULL: any */
	bool connected;	  /* a peer was reached; from then on nc calls every end a success */
	bool complained;
	struct persona persona;
	char text[NC_TEXT]; /* words that were made */
	size_t used;
	struct nc_addr addrs[NC_ADDRS];
	unsigned addrs_n;
	unsigned char tried[NC_PORTS]; /* which of them was tried last, by port */
};

bool nc_called(const char *argv0);
/* Reads nc's command line, main's argv. -1 with e (ERR_USAGE): one sentence. Opens nothing. nc must stay where it is. */
int nc_read(struct nc *nc, int argc, char **argv, struct err *e);
int nc_help(FILE *to); /* -1: errno */

extern const struct persona nc_persona; /* its arg is a struct nc (nc/nc_output.c) */

#endif
