/* Walking the rows (rows.h). */
#include "cli/rows.h"

#include <string.h>

static bool held(const struct opt_group *const *groups, size_t n, const struct opt_group *group)
{
	while (n > 0)
		if (groups[--n] == group)
			return true;
	return false;
}

/* Puts the group behind the last one with its title, at the end if there is none. */
static size_t insert(const struct opt_group **groups, size_t n, const struct opt_group *group)
{
	size_t at = n;
	for (size_t i = 0; i < n; i++)
		if (strcmp(groups[i]->title, group->title) == 0)
			at = i + 1;
	memmove(groups + at + (at < n), groups + at, (n - at) * sizeof *groups);
	groups[at] = group;
	return n + 1;
}

void rows_groups(const struct command *const *commands, const struct opt_group *out[ROWS_GROUPS + 1])
{
	size_t n = 0;
	for (; *commands != NULL; commands++)
		for (const struct opt_group *const *g = (*commands)->groups; *g != NULL; g++)
			if (n < ROWS_GROUPS && !held(out, n, *g))
				n = insert(out, n, *g);
	out[n] = NULL;
}

bool rows_listed(const struct command *command, const struct opt_group *group)
{
	const struct opt_group *const *g = command->groups;
	while (*g != NULL && *g != group)
		g++;
	return *g != NULL;
}

const char *rows_default(const struct command *command, const struct opt_group *group, const struct opt *row)
{
	const struct opt_default *d = command == NULL ? NULL : command->defaults;
	for (; d != NULL && d->group != NULL; d++)
		if (d->group == group && strcmp(d->name, row->name) == 0)
			return d->text;
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
