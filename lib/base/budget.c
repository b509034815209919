#include "base/budget.h"

size_t budget_left(const struct budget *b, size_t held)
{
	size_t small = held < BUDGET_SMALL ? BUDGET_SMALL - held : 0;
	if (b == NULL)
		return SIZE_MAX;
	uint64_t others = b->used > held ? b->used - held : 0, part = others < b->most ? (b->most - others) / 2 : 0;
	uint64_t more = part > held ? part - held : 0;
	return more > small ? (size_t)more : small;
}

bool budget_take(struct budget *b, size_t held, size_t more)
{
	if (more > budget_left(b, held))
		return false;
	if (b != NULL)
		b->used += more;
	return true;
}

void budget_give(struct budget *b, size_t bytes)
{
	if (b != NULL)
		b->used -= bytes < b->used ? bytes : b->used;
}
