/* The nearest right word (suggest.h): optimal string alignment, three rows of the table at a time. */
#include "cli/suggest.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

enum { WORD_MOST = 63, PREFIX_LEAST = 3 };

static unsigned suggest_least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned suggest_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	if (la > WORD_MOST || lb > WORD_MOST)
		return UINT_MAX;
	unsigned row[3][WORD_MOST + 1] = { 0 }; /* before last, last, this one */
	for (unsigned j = 0; j <= lb; j++)
		row[1][j] = j;
	for (unsigned i = 1; i <= la; i++) {
		row[2][0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			unsigned replaced = row[1][j - 1] + (a[i - 1] != b[j - 1]);
			row[2][j] = suggest_least(replaced, suggest_least(row[1][j], row[2][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[2][j] = suggest_least(row[2][j], row[0][j - 2] + 1);
		}
		memmove(row[0], row[1], 2 * sizeof row[0]);
	}
	return row[1][lb];
}

void suggest_offer(const char *word, const char *candidate, const char **best, unsigned *best_distance)
{
	size_t len = strlen(word);
	unsigned near = len < 6 ? 1 : len < 9 ? 2 : 3;
	bool begun = len >= PREFIX_LEAST && strncmp(word, candidate, len) == 0; /* a prefix counts as one mistake */
	unsigned distance = begun ? 1 : suggest_distance(word, candidate);
	if (distance > near || (*best != NULL && distance >= *best_distance))
		return;
	*best = candidate;
	*best_distance = distance;
}
