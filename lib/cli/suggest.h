/* The nearest right word. */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

#include <stddef.h>

/* Edits (insert, delete, replace, swap neighbours) between two words; lengths over 63 count as far. */
unsigned suggest_distance(const char *a, const char *b);
/* Keeps in *best the nearer of *best and candidate, if it is near enough to be meant. Start with *best == NULL. */
void suggest_offer(const char *word, const char *candidate, const char **best, unsigned *best_distance);

#endif
