/* Options are rows that live beside the code that reads them.
 *
 * One row carries an option's name, letter, kind, place in its group's block, help line and man paragraph. From these
 * rows come the parser, `sockctl help`, OPTIONS in the man page and the shell completions; nothing else in the program
 * writes an option's name twice. A mode lists the groups that it understands. A group's values are a plain struct (the
 * block); `conf` holds one block per group that any mode knows, so a reader may ask for a group that the running mode
 * does not list and gets its defaults. */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opt_kind {	     /* what stands at `off` in the block */
	OPT_FLAG,    /* bool */
	OPT_INT,     /* int64_t, min..max */
	OPT_SIZE,    /* int64_t bytes: 64k 1M 2G KiB kB ... */
	OPT_MS,	     /* int64_t milliseconds: 250ms 2s 5m 1h; a bare number is an error */
	OPT_SECONDS, /* as OPT_MS, but a bare number is seconds (-w and -i, as in nc) */
	OPT_TEXT,    /* const char *, borrowed from argv or the row */
	OPT_LIST,    /* struct opt_list; may be given again and again */
	OPT_CHOICE,  /* int: the index of the word among the words of `arg`, which are separated by '|' */
	OPT_HOOK     /* whatever the hook makes of it, with text NULL when arg is NULL; may be given again and again */
};

struct opt_list {
	size_t n;
	const char **v; /* the array belongs to conf, the texts to argv */
};

/* What a run still needs once everything is open: the sandbox (sandbox/sandbox.h) leaves the union of these and nothing else. */
enum {
	NEEDS_READ = 1,	     /* opens files below the folder of its value for reading */
	NEEDS_WRITE = 2,     /* makes files in the folder of its value, where that has a %c: one for each connection */
	NEEDS_UNLINK = 4,    /* removes a file of ours at its end */
	NEEDS_DIAL = 8,	     /* makes connections */
	NEEDS_NAMES = 16,    /* asks for addresses of names */
	NEEDS_EXEC = 32,     /* starts programs */
	NEEDS_CHILD = 64,    /* looks after one that was started before */
	NEEDS_ACCEPT = 128,  /* takes connections */
	NEEDS_LISTEN = 256,  /* has a bound socket listen later */
	NEEDS_PEER = 512,    /* connects a datagram socket of ours with one peer */
	NEEDS_ANSWER = 1024, /* sends datagrams to Unix sockets that have asked */
	NEEDS_LISTS = 2048   /* opens files for reading, from folders that stay open */
};

/* What a run is, as far as an option depends on it, kind by kind. An option does something only in a run that has, of each kind
 * of which its row (else its group) names facts, one of these; elsewhere it is refused (net/idle.h). */
enum {
	WITH_STDIO = 1 << 0, /* the service */
	WITH_CONSOLE = 1 << 1,
	WITH_ECHO = 1 << 2,
	WITH_CHAT = 1 << 3,
	WITH_FILE = 1 << 4,
	WITH_DISCARD = 1 << 5,
	WITH_ZERO = 1 << 6,
	WITH_EXEC = 1 << 7,
	WITH_TALK = 1 << 8,
	WITH_FORWARD = 1 << 9,
	WITH_PROBE = 1 << 10,
	WITH_SERVICE = (1 << 11) - 1,
	WITH_PAYLOAD = WITH_SERVICE & ~WITH_PROBE,
	WITH_DIAL = 1 << 11,   /* a connection of ours, or of a server to its target */
	WITH_CLIENT = 1 << 12, /* replies are waited for */
	WITH_STREAM = 1 << 13, /* the transport; of an inherited descriptor any */
	WITH_DGRAM = 1 << 14,
	WITH_FRAMES = 1 << 15, /* a stream that is cut into frames */
	WITH_TRANSPORT = WITH_STREAM | WITH_DGRAM | WITH_FRAMES,
	WITH_INET = 1 << 16,
	WITH_UNIX = 1 << 17, /* a socket that has a file */
	WITH_FAMILY = WITH_INET | WITH_UNIX,
	WITH_SENDING = 1 << 18, /* what we have to say goes to the peer */
	WITH_SHOWING = 1 << 19, /* what the peer says goes somewhere */
	WITH_NEXT = 1 << 20,	/* another client follows the first: listen --keep-open */
	WITH_NOTICE = 1 << 21	/* a client too many is told so */
};
enum { OPT_FACTS = 22 };
struct opt_fact {
	unsigned fact;
	const char *name;
};
extern const struct opt_fact opt_facts[OPT_FACTS + 1]; /* each of them alone; ends with a name of NULL */

struct opt {
	const char *name; /* long name without "--"; NULL ends the rows */
	char ch;	  /* letter, or 0 */
	unsigned with;	  /* WITH_ of the runs in which it does something; of a kind that it does not name, its group's */
	enum opt_kind kind;
	size_t off;	    /* offsetof in the block; of OPT_HOOK 0, or what conf_given knows it by: a field, but not the first */
	const char *arg;    /* "N", "PATH", "auto|both|peer"; NULL for flags */
	const char *bare;   /* its value when it stands alone; others are joined to it: --name=VALUE. NULL: it needs one */
	const char *help;   /* one line for `sockctl help MODE` */
	const char *man;    /* the man paragraph, plain sentences; NULL: help serves */
	const char *def;    /* default, as one would type it; NULL: zero */
	long long min, max; /* OPT_INT, OPT_SIZE, OPT_MS; both 0: any that is not negative */
	int (*hook)(void *block, const char *text, struct err *e); /* OPT_HOOK: 0, or -1 with e filled in */
	unsigned needs;						   /* NEEDS_ of a run with this option */
};

struct opt_group {
	const char *title; /* heading in help and man: "Names and addresses" */
	size_t size;	   /* of the block */
	const struct opt *rows;
	unsigned with;				  /* WITH_ for all rows */
	int (*check)(void *block, struct err *e); /* relations among options, after parsing; may be NULL */
	void (*free)(void *block);		  /* what hooks allocated; may be NULL */
};

struct command {
	const char *name, *brief, *args;       /* "connect", "connect to a peer", "ADDRESS" */
	const char *man;		       /* the mode's paragraph(s) in the man page, plain sentences */
	const struct opt_group *const *groups; /* NULL-terminated */
};

struct conf;

/* A conf with the defaults of every group of every command. commands: NULL-terminated. NULL with e filled in when memory is short
 * or a row's default does not parse. */
struct conf *conf_new(const struct command *const *commands, const struct command *running, struct err *e);
void conf_free(struct conf *conf);

/* Sets one option from its text (NULL for a flag). The error names the option, what it got and what was expected. */
int conf_set(struct conf *conf, const struct opt_group *group, const struct opt *row, const char *text, struct err *e);
/* The same, where the error names the option as it was typed: "-i". */
int conf_set_as(struct conf *conf, const struct opt_group *group, const struct opt *row, const char *typed, const char *text,
	struct err *e);

/* Runs the check of each of the running command's groups. */
int conf_check(struct conf *conf, struct err *e);

/* Calls fn for each option that was given and needs something; text: the value of an OPT_TEXT, NULL for others. */
void conf_needs(const struct conf *conf, void (*fn)(void *arg, unsigned needs, const char *text), void *arg);

/* WITH_ of a row and its group. */
unsigned opt_with(const struct opt_group *group, const struct opt *row);
/* The first given option that does nothing in a run with these facts, and the facts, of one kind, that it misses. NULL: none. */
const struct opt *conf_idle(const struct conf *conf, unsigned facts, unsigned *wants);

/* Borrowed; never NULL for a group that some command lists. */
const void *conf_get(const struct conf *conf, const struct opt_group *group);

/* The first option that the user gave (rather than left at its default) among the rows of the group that fill the field at `off`,
 * or, with OPT_ANY, among all of them. NULL: none. */
#define OPT_ANY SIZE_MAX
const struct opt *conf_given(const struct conf *conf, const struct opt_group *group, size_t off);
/* Was an option given that fills this field? CONF_GIVEN(conf, clock, idle_ms): of clock_opts, in struct clock_conf. */
#define CONF_GIVEN(conf, group, field) (conf_given(conf, &group##_opts, offsetof(struct group##_conf, field)) != NULL)

#endif
