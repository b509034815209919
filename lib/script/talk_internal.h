/* The parts of the parser of talk scripts: memory, words (talk_lex.c), data (talk_data.c), patterns (talk_pattern.c), grammar
 * (talk_parse.c), and checks of the whole (talk_check.c, talk_swap.c). */
#ifndef SCRIPT_TALK_INTERNAL_H
#define SCRIPT_TALK_INTERNAL_H

#include "script/talk_script.h"

struct talk_chunk;
struct talk_script {
	struct talk_chunk *chunks;     /* all of its memory */
	struct talk_section *sections; /* the first is that of "conn *" */
	struct talk_pattern *patterns;
	struct ere_cache *cache; /* of all regular expressions; NULL: there are none */
	size_t bytes;		 /* read from files */
};

void *talk_new(struct talk_script *s, size_t bytes, struct err *e); /* zeroed; NULL with e */
/* A whole file, its bytes counted. -1 with e. */
int talk_read(struct talk_script *s, const char *path, struct talk_bytes *out, struct err *e);

struct talk_lex {
	struct talk_script *script;
	struct err *e;
	const char *name;
	const unsigned char *p, *end; /* what is left */
	const unsigned char *start;   /* of the line */
	const unsigned char *last;    /* the end of the last word or data taken */
	unsigned line;
};

/* All of these skip blanks, and "\" with the end of its line, first. */
void talk_blanks(struct talk_lex *l);
bool talk_ended(struct talk_lex *l); /* the line, or its part before "#" */
struct talk_place talk_here(struct talk_lex *l);
size_t talk_word(struct talk_lex *l);				   /* bytes of the word that begins here; 0: none does */
size_t talk_rest(struct talk_lex *l);				   /* bytes up to the next blank */
bool talk_takes(struct talk_lex *l, const char *word);		   /* if it is next, takes it */
char *talk_take(struct talk_lex *l, size_t n);			   /* the next n bytes as a text of its own; NULL with e */
void talk_drop(struct talk_lex *l, size_t n);			   /* skips n bytes */
int talk_number(struct talk_lex *l, uint32_t most, uint32_t *out); /* 1 to most */
int talk_duration(struct talk_lex *l, int64_t *out_ms);
void talk_next_line(struct talk_lex *l); /* from the end of one */

/* All return -1, with e: the place and the words. */
int talk_wrong(struct talk_lex *l, const struct talk_place *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int talk_expected(struct talk_lex *l, const char *what, const char *after); /* after a word or phrase; NULL: omit that */
int talk_refuse(struct err *e, const struct talk_place *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

bool talk_is_data(struct talk_lex *l);
/* One or more items; groups: "$1" is the matched text, not two bytes. */
int talk_data(struct talk_lex *l, bool groups, const char *after, struct talk_data *out);

enum { TALK_NUMBER_MOST = 1000000000 };
/* One pattern, after the word `after`. NULL with e. */
struct talk_pattern *talk_pattern(struct talk_lex *l, const char *after);

int talk_check(struct talk_script *s, const struct talk_options *options, struct err *e);
/* Before talk_check. */
int talk_swap(struct talk_script *s, const struct talk_options *options, struct err *e);
/* Makes a pattern's text of its data. */
int talk_flatten(struct talk_script *s, struct talk_pattern *p, const struct talk_place *at, struct err *e);

#endif
