/* Parts of ere.h: what an expression is read into (ere_parse.c), the program made of it (ere_program.c), and the two ways to run
 * it (ere_dfa.c, ere_pike.c). */
#ifndef PATTERN_ERE_INTERNAL_H
#define PATTERN_ERE_INTERNAL_H

#include "pattern/ere.h"

/* --- the tree --- */

enum ere_kind { ERE_EMPTY, ERE_SET, ERE_ASSERT, ERE_GROUP, ERE_CAT, ERE_ALT, ERE_REPEAT };
enum ere_assert { ERE_BEGIN, ERE_END, ERE_WORD_FIRST, ERE_WORD_LAST, ERE_WORD_EDGE, ERE_WORD_INSIDE };
enum { ERE_FOREVER = 65535, ERE_DEEP = 200, ERE_NONE = -1 };

struct ere_set {
	uint8_t bits[32];
};

struct ere_node {
	uint8_t kind, deep;
	uint16_t min, max; /* ERE_REPEAT; max may be ERE_FOREVER */
	int arg;	   /* ERE_SET: which; ERE_ASSERT; ERE_GROUP: its number */
	int first, next;   /* children: a list; ERE_NONE: the end */
};

struct ere_tree {
	struct ere_node *nodes;
	struct ere_set *sets;
	int nodes_n, nodes_cap, sets_n, sets_cap, root, groups;
};

/* -1 with why, as ere_open. The tree is to be freed in any case. */
int ere_parse(struct ere_tree *t, const unsigned char *text, size_t n, bool icase, char why[ERE_WORDS]);
void ere_tree_free(struct ere_tree *t);

static inline bool ere_has(const struct ere_set *s, unsigned byte)
{
	return s->bits[byte / 8] >> (byte % 8) & 1;
}

/* In brackets, after "[": -1 with why, or the bytes used. */
ptrdiff_t ere_bracket(struct ere_set *out, const unsigned char *p, size_t n, bool icase, char why[ERE_WORDS]);
void ere_add_class(struct ere_set *s, const char *name);
int ere_refuse(char why[ERE_WORDS], const char *words);

/* --- the program --- */

enum ere_op { ERE_DO_SET, ERE_DO_SPLIT, ERE_DO_JUMP, ERE_DO_SAVE, ERE_DO_ASSERT, ERE_DO_MATCH };
struct ere_inst {
	uint8_t op, arg; /* SAVE: 2 * group (+ 1); ASSERT: which */
	uint16_t x, y;	 /* SPLIT: first x, then y; JUMP: to x; SET: which; all others continue with the next instruction */
};

struct ere {
	struct ere_inst *insts;
	struct ere_set *sets;
	uint16_t insts_n;
	bool anchored; /* can begin only at the first byte */
	bool words;    /* has assertions about the edges of words */
	int groups;
	unsigned classes;      /* of bytes that no instruction distinguishes; the class of the end has this number */
	uint8_t class_of[256]; /* of each byte */
	uint8_t byte_of[256];  /* one of each class */
};

/* The bytes before and after a place. */
enum { ERE_AT_BEGIN = 1, ERE_AFTER_WORD = 2 };
static inline bool ere_word(unsigned byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || byte == '_';
}
bool ere_holds(unsigned assertion, unsigned before, bool at_end, bool before_word);

/* The parts of ere_go. */
enum ere_did ere_dfa_go(struct ere_run *r, int64_t *work);
enum ere_did ere_pike_go(struct ere_run *r, int64_t *work);

#endif
