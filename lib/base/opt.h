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
	NEEDS_READ = 1,	    /* opens files below the folder of its value for reading */
	NEEDS_WRITE = 2,    /* makes files in the folder of its value, where that has a %c: one for each connection */
	NEEDS_UNLINK = 4,   /* removes a file of ours at its end */
	NEEDS_DIAL = 8,	    /* makes connections */
	NEEDS_NAMES = 16,   /* asks for addresses of names */
	NEEDS_EXEC = 32,    /* starts programs */
	NEEDS_CHILD = 64,   /* looks after one that was started before */
	NEEDS_ACCEPT = 128, /* takes connections */
	NEEDS_LISTEN = 256, /* has a bound socket listen later */
	NEEDS_PEER = 512,   /* connects a datagram socket of ours with one peer */
	NEEDS_ANSWER = 1024 /* sends datagrams to Unix sockets that have asked */
};

struct opt {
	const char *name; /* long name without "--"; NULL ends the rows */
	char ch;	  /* letter, or 0 */
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

/* Borrowed; never NULL for a group that some command lists. */
const void *conf_get(const struct conf *conf, const struct opt_group *group);

/* The first option that the user gave (rather than left at its default) among the rows of the group that fill the field at `off`,
 * or, with OPT_ANY, among all of them. NULL: none. */
#define OPT_ANY SIZE_MAX
const struct opt *conf_given(const struct conf *conf, const struct opt_group *group, size_t off);
/* Was an option given that fills this field? CONF_GIVEN(conf, clock, idle_ms): of clock_opts, in struct clock_conf. */
#define CONF_GIVEN(conf, group, field) (conf_given(conf, &group##_opts, offsetof(struct group##_conf, field)) != NULL)

#endif
