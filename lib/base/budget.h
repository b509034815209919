/* The memory that all peers together can make a run use: one bound (--memory), shared fairly.
 *
 * A holder may have as much as would be left for the others after it has taken it. So one alone gets half of all, two a third
 * each, n of them one part of n + 1: there is always a part left for another peer, however much the others hold, and a holder
 * of less than that is never refused. Holders need not be counted, and what is given back counts at once. BUDGET_SMALL bytes are
 * for each holder in any case: they are bounded by the number of connections. */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BUDGET_SMALL = 16 * 1024, BUDGET_DEFAULT = 128 * 1024 * 1024 };

struct budget {
	uint64_t most, used;
};

/* May a holder of `held` bytes take so many more? They count as taken then. NULL: no bound. */
bool budget_take(struct budget *b, size_t held, size_t more);
void budget_give(struct budget *b, size_t bytes);
/* How many more it could take. */
size_t budget_left(const struct budget *b, size_t held);

#endif
