/* Extended regular expressions as POSIX has them, with a bound for time and memory.
 *
 * The C library promises neither: one backtracks, one copies, and a line that a peer has chosen can then hold a program for
 * minutes. Here an expression becomes a program of at most ERE_INSTS_MOST instructions, all of whose threads run side by side
 * over the bytes (Thompson, Pike): no byte costs more than one visit of each instruction, whatever the expression and the bytes
 * are. What a set of threads does at a byte is kept (ere_cache.c), so that most bytes cost one look into a table. A match can be
 * left at any byte and gone on with later (ere_run), so that a caller bounds each turn, too: it gives how much work may be done,
 * and 1 is about a byte that is looked up.
 *
 * Bytes, not characters, and the letters of ASCII, whatever the locale. The whole match is the leftmost and of those the longest.
 * What parentheses have found is, as in glibc, what the first way to that match finds: of alternatives the first, of repetitions
 * as many as can be. Beside POSIX, as in glibc: \w \W \s \S \b \B \< \>, empty alternatives, {,n}. A back-reference is refused:
 * no matcher with such a bound has it. */
#ifndef PATTERN_ERE_H
#define PATTERN_ERE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ERE_INSTS_MOST = 8192,
	ERE_REPEAT_MOST = 32767, /* n of {m,n}, as in glibc */
	ERE_GROUPS = 10,	 /* $0 to $9: of more pairs of parentheses nothing is remembered */
	ERE_WORDS = 120
};

struct ere;
/* NULL: it is none, why says so in words; or (why is "") there is no memory. text may hold any byte. */
struct ere *ere_open(const unsigned char *text, size_t n, bool icase, char why[ERE_WORDS]);
void ere_close(struct ere *takes);	/* NULL is fine */
size_t ere_groups(const struct ere *x); /* pairs of parentheses */
size_t ere_size(const struct ere *x);	/* instructions */

/* What was found out about sets of threads, of any number of expressions: at most ERE_CACHE_MOST bytes, then it is forgotten. It
 * must not outlive an expression and be used with another: close it first. */
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
	bool found;	    /* there is a match: what is left is to find its groups */
	size_t set_n;	    /* of the threads of ere_dfa.c at `at` */
	uint8_t set_before; /* and what stands before them */
	uint16_t *set;
	struct ere_threads *threads; /* of ere_pike.c */
	struct ere_span group[ERE_GROUPS];
};

/* groups: how many are wanted; 0: whether it matches at all, which costs less. Nothing is allocated yet. */
void ere_start(struct ere_run *r, const struct ere *x, struct ere_cache *borrows, const void *bytes, size_t n, unsigned groups);
/* Goes on while *work is positive, and takes from it what it did. ERE_YES sets the groups; all but ERE_MORE end it. */
enum ere_did ere_go(struct ere_run *r, int64_t *work);
void ere_stop(struct ere_run *r); /* before its end, or after: what it holds is freed */

#endif
