/* Walking the rows (rows.h). */
#include "cli/rows.h"

#include <string.h>

static size_t place_of(const struct opt_group *const *groups, size_t n, const struct opt_group *group)
{
	size_t i = 0;
	while (i < n && groups[i] != group)
		i++;
	return i;
}

/* Where a group of the list `rest` belongs: after the groups with its title, else before the next present group of its list. */
static size_t place_for(const struct opt_group *const *groups, size_t n, const struct opt_group *const *rest)
{
	for (size_t i = n; i > 0; i--)
		if (strcmp(groups[i - 1]->title, (*rest)->title) == 0)
			return i;
	while (*++rest != NULL)
		if (place_of(groups, n, *rest) < n)
			return place_of(groups, n, *rest);
	return n;
}

void rows_groups(const struct command *const *commands, const struct opt_group *out[ROWS_GROUPS + 1])
{
	size_t n = 0;
	for (; *commands != NULL; commands++)
		for (const struct opt_group *const *g = (*commands)->groups; *g != NULL; g++) {
			if (n == ROWS_GROUPS || place_of(out, n, *g) < n)
				continue;
			size_t at = place_for(out, n, g);
			memmove(out + at + 1, out + at, (n - at) * sizeof *out);
			out[at] = *g;
			n++;
		}
	out[n] = NULL;
}

bool rows_listed(const struct command *command, const struct opt_group *group)
{
	const struct opt_group *const *g = command->groups;
	while (*g != NULL && *g != group)
		g++;
	return *g != NULL;
}

const char *rows_default(const struct opt *row)
{
	return row->def != NULL && *row->def != '\0' ? row->def : NULL;
}

bool rows_is_path(const struct opt *row)
{
	return row->arg != NULL && (strstr(row->arg, "FILE") != NULL || strstr(row->arg, "PATH") != NULL);
}

void rows_words(FILE *out, const char *words, const char *between)
{
	for (const char *p = words; *p != '\0'; p++)
		if (*p == '|')
			fputs(between, out);
		else
			putc(*p, out);
}

int rows_end(FILE *out)
{
	return fflush(out) == 0 && !ferror(out) ? 0 : -1;
}
