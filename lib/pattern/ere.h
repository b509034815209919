/* Extended regular expressions (POSIX), bounded in time and memory.
 *
 * The C library bounds neither: glibc backtracks and musl copies, so that a line chosen by a peer can hold the program for
 * minutes. Here an expression becomes a program of at most ERE_INSTS_MOST instructions, whose threads run side by side over the
 * bytes (Thompson, Pike): a byte costs at most one visit of each instruction. The next set of threads for a set and a byte is
 * cached (ere_dfa.c), so most bytes cost one table lookup. A match can stop at any byte and continue later (ere_run): the caller
 * says how much work may be done in a turn, where 1 is about one looked-up byte.
 *
 * It matches bytes, not characters, with ASCII letters, in any locale. The whole match is the leftmost and of those the longest.
 * Groups hold, as in glibc, what the first way to that match finds: the first alternative, as many repetitions as possible.
 * Beyond POSIX, as in glibc: \w \W \s \S \b \B \< \>, empty alternatives, {,n}. A back-reference is refused: no matcher with such
 * a bound supports it. */
#ifndef PATTERN_ERE_H
#define PATTERN_ERE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ERE_INSTS_MOST = 8192,
	ERE_REPEAT_MOST = 32767, /* n of {m,n}, as in glibc */
	ERE_GROUPS = 10,	 /* $0 to $9: further pairs of parentheses are not remembered */
	ERE_WORDS = 120
};

struct ere;
/* NULL: not an expression, and *why says why not; or (why is "") no memory. text may hold any byte. */
struct ere *ere_open(const unsigned char *text, size_t n, bool icase, char why[ERE_WORDS]);
void ere_close(struct ere *takes);	/* NULL is fine */
size_t ere_groups(const struct ere *x); /* pairs of parentheses */
size_t ere_size(const struct ere *x);	/* instructions */

/* The cached sets of threads of any number of expressions: at most ERE_CACHE_MOST bytes, then the cache is emptied. Close it
 * before one of its expressions. */
enum { ERE_CACHE_MOST = 2 * 1024 * 1024 };
struct ere_cache;
struct ere_cache *ere_cache_open(void); /* NULL: no memory */
void ere_cache_close(struct ere_cache *takes);

enum ere_did { ERE_MORE, ERE_NO, ERE_YES, ERE_MEMORY };
struct ere_span { /* no match: both are -1 */
	ptrdiff_t from, to;
};

/* One match of one expression in n bytes, which stay where they are until it is over. */
struct ere_run {
	const struct ere *x;
	struct ere_cache *cache;
	const unsigned char *bytes;
	size_t n, at;
	unsigned groups;    /* wanted: group[0] to group[groups - 1] */
	bool found;	    /* there is a match: only its groups are still to be found */
	size_t set_n;	    /* of the threads of ere_dfa.c at `at` */
	uint8_t set_before; /* and what stands before them */
	uint16_t *set;
	struct ere_threads *threads; /* of ere_pike.c */
	struct ere_span group[ERE_GROUPS];
};

/* groups: how many are wanted; 0: only whether it matches, which costs less. Allocates nothing yet. */
void ere_start(struct ere_run *r, const struct ere *x, struct ere_cache *borrows, const void *bytes, size_t n, unsigned groups);
/* Continues while *work is positive, and subtracts the work done. ERE_YES sets the groups; every result but ERE_MORE ends the
 * match. */
enum ere_did ere_go(struct ere_run *r, int64_t *work);
void ere_stop(struct ere_run *r); /* at any time: frees what the match holds */

#endif
