/* Values of options: one block per group, filled from the rows' defaults, then the user's (opt.h).
 *
 * Groups are few (a dozen or two) and read at start, so the blocks are in a plain array that is searched from its start. Only
 * set_value knows what a row's text means. */
#include "base/opt.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/text.h"

#include <string.h>

const struct opt_fact opt_facts[OPT_FACTS + 1] = {
	{ WITH_STDIO, "stdio" },
	{ WITH_CONSOLE, "console" },
	{ WITH_ECHO, "echo" },
	{ WITH_CHAT, "chat" },
	{ WITH_FILE, "file" },
	{ WITH_DISCARD, "discard" },
	{ WITH_ZERO, "zero" },
	{ WITH_EXEC, "exec" },
	{ WITH_TALK, "talk" },
	{ WITH_FORWARD, "forward" },
	{ WITH_PROBE, "probe" },
	{ WITH_DIAL, "dial" },
	{ WITH_CLIENT, "client" },
	{ WITH_STREAM, "stream" },
	{ WITH_DGRAM, "dgram" },
	{ WITH_FRAMES, "frames" },
	{ WITH_INET, "inet" },
	{ WITH_UNIX, "unix" },
	{ WITH_SENDING, "sending" },
	{ WITH_SHOWING, "showing" },
	{ WITH_NEXT, "next" },
	{ WITH_NOTICE, "notice" },
};

static const unsigned fact_kinds[] = { WITH_SERVICE, WITH_DIAL, WITH_CLIENT, WITH_TRANSPORT, WITH_FAMILY, WITH_SENDING,
	WITH_SHOWING, WITH_NEXT, WITH_NOTICE };
enum { FACT_KINDS = sizeof fact_kinds / sizeof fact_kinds[0] };

struct slot {
	const struct opt_group *group;
	void *block;
	bool *given; /* one for each row */
};

struct conf {
	const struct command *running;
	size_t n;
	struct slot *slots;
};

static size_t row_count(const struct opt_group *group)
{
	size_t n = 0;
	while (group->rows[n].name != NULL)
		n++;
	return n;
}

static struct slot *slot_of(const struct conf *conf, const struct opt_group *group)
{
	for (size_t i = 0; i < conf->n; i++)
		if (conf->slots[i].group == group)
			return &conf->slots[i];
	return NULL;
}

/* "auto|both|peer" as "auto, both or peer". */
static void list_words(char *out, size_t cap, const char *words)
{
	size_t used = 0;
	for (const char *p = words; *p != '\0' && used + 5 < cap; p++) {
		const char *piece = *p != '|' ? NULL : strchr(p + 1, '|') == NULL ? " or " : ", ";
		size_t len = piece == NULL ? 1 : strlen(piece);
		memcpy(out + used, piece == NULL ? p : piece, len);
		used += len;
	}
	out[used] = '\0';
}

static int opt_choose(const char *words, const char *text, int *out, struct err *e)
{
	size_t len = strlen(text);
	int index = 0;
	for (const char *p = words;; index++) {
		size_t n = strcspn(p, "|");
		if (n == len && memcmp(p, text, n) == 0) {
			*out = index;
			return 0;
		}
		if (p[n] != '|')
			break;
		p += n + 1;
	}
	char shown[160], expected[200];
	text_show(shown, sizeof shown, text, len);
	list_words(expected, sizeof expected, words);
	return err_set(e, ERR_USAGE, 0, "got \"%s\", expected %s", shown, expected);
}

static int list_add(struct opt_list *list, const char *text, struct err *e)
{
	const char **v = mem_grow(list->v, (list->n + 1) * sizeof *v);
	if (v == NULL)
		return err_set(e, ERR_LOCAL, 0, "no memory");
	v[list->n++] = text;
	list->v = v;
	return 0;
}

static bool has_range(const struct opt *row)
{
	return row->min != 0 || row->max != 0;
}

static int check_range(const struct opt *row, int64_t n, const char *text, struct err *e)
{
	if (!has_range(row) || (n >= row->min && n <= row->max))
		return 0;
	char shown[160];
	text_show(shown, sizeof shown, text, strlen(text));
	const char *unit = row->kind == OPT_SIZE ? "bytes" : "milliseconds";
	if (row->max >= INT64_MAX / 4) /* a limit that no value reaches */
		return err_set(e, ERR_USAGE, 0, "got \"%s\", expected %lld %s or more", shown, row->min, unit);
	return err_set(e, ERR_USAGE, 0, "got \"%s\", expected %lld to %lld %s", shown, row->min, row->max, unit);
}

static int set_value(void *block, const struct opt *row, const char *text, struct err *e)
{
	void *at = (char *)block + row->off;
	int64_t n = 0;
	switch (row->kind) {
	case OPT_FLAG:
		*(bool *)at = true;
		return 0;
	case OPT_INT:
		return num_int(text, row->min, has_range(row) ? row->max : INT64_MAX, at, e);
	case OPT_SIZE:
		if (num_size(text, &n, e) != 0 || check_range(row, n, text, e) != 0)
			return -1;
		*(int64_t *)at = n;
		return 0;
	case OPT_MS:
	case OPT_SECONDS:
		if (num_duration(text, row->kind == OPT_SECONDS, &n, e) != 0 || check_range(row, n, text, e) != 0)
			return -1;
		*(int64_t *)at = n;
		return 0;
	case OPT_TEXT:
		*(const char **)at = text;
		return 0;
	case OPT_LIST:
		return list_add(at, text, e);
	case OPT_CHOICE:
		return opt_choose(row->arg, text, at, e);
	case OPT_HOOK:
		return row->hook(block, text, e);
	}
	return err_set(e, ERR_BUG, 0, "a row of kind %d", (int)row->kind);
}

/* A default that does not parse is a mistake of ours, unless it was memory. */
static int set_default(struct slot *slot, const struct opt *row, struct err *e)
{
	struct err own = { 0 };
	if (set_value(slot->block, row, row->def, &own) == 0)
		return 0;
	return err_set(e, own.cls == ERR_LOCAL ? ERR_LOCAL : ERR_BUG, 0, "default of --%s: %s", row->name, own.what);
}

static int slot_fill(struct conf *conf, const struct opt_group *group, struct err *e)
{
	struct slot *slots = mem_grow(conf->slots, (conf->n + 1) * sizeof *slots);
	if (slots == NULL)
		return err_set(e, ERR_LOCAL, 0, "no memory for options");
	conf->slots = slots;
	struct slot *slot = &slots[conf->n++];
	*slot = (struct slot){ .group = group, .block = mem_new(group->size), .given = mem_new(row_count(group) + 1) };
	if (slot->block == NULL || slot->given == NULL)
		return err_set(e, ERR_LOCAL, 0, "no memory for options");
	for (const struct opt *row = group->rows; row->name != NULL; row++)
		if (row->def != NULL && set_default(slot, row, e) != 0)
			return -1;
	return 0;
}

static void clear_list(struct slot *slot, const struct opt *row)
{
	if (row->kind == OPT_LIST)
		((struct opt_list *)(void *)((char *)slot->block + row->off))->n = 0;
}

static int opt_fill(struct conf *conf, const struct command *const *commands, struct err *e)
{
	for (; *commands != NULL; commands++)
		for (const struct opt_group *const *g = (*commands)->groups; *g != NULL; g++)
			if (slot_of(conf, *g) == NULL && slot_fill(conf, *g, e) != 0)
				return -1;
	return 0;
}

struct conf *conf_new(const struct command *const *commands, const struct command *running, struct err *e)
{
	struct conf *conf = mem_new(sizeof *conf);
	if (conf == NULL) {
		err_set(e, ERR_LOCAL, 0, "no memory for options");
		return NULL;
	}
	conf->running = running;
	if (opt_fill(conf, commands, e) != 0) {
		conf_free(conf);
		return NULL;
	}
	return conf;
}

static void slot_free(struct slot *slot)
{
	if (slot->block != NULL) {
		if (slot->group->free != NULL)
			slot->group->free(slot->block);
		for (const struct opt *row = slot->group->rows; row->name != NULL; row++)
			if (row->kind == OPT_LIST)
				mem_free(((struct opt_list *)(void *)((char *)slot->block + row->off))->v);
	}
	mem_free(slot->block);
	mem_free(slot->given);
}

void conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	for (size_t i = 0; i < conf->n; i++)
		slot_free(&conf->slots[i]);
	mem_free(conf->slots);
	mem_free(conf);
}

int conf_set_as(struct conf *conf, const struct opt_group *group, const struct opt *row, const char *typed, const char *text,
	struct err *e)
{
	struct slot *slot = slot_of(conf, group);
	if (slot == NULL)
		return err_set(e, ERR_BUG, 0, "%s: no command lists its group", typed);
	bool *given = &slot->given[row - group->rows];
	if (!*given)
		clear_list(slot, row);
	if (set_value(slot->block, row, text, e) != 0)
		return err_prefix(e, "%s", typed);
	*given = true;
	return 0;
}

int conf_set(struct conf *conf, const struct opt_group *group, const struct opt *row, const char *text, struct err *e)
{
	char typed[64] = "--";
	strncat(typed, row->name, sizeof typed - 3);
	return conf_set_as(conf, group, row, typed, text, e);
}

int conf_check(struct conf *conf, struct err *e)
{
	for (const struct opt_group *const *g = conf->running->groups; *g != NULL; g++) {
		const struct slot *slot = slot_of(conf, *g);
		if (slot != NULL && (*g)->check != NULL && (*g)->check(slot->block, e) != 0)
			return -1;
	}
	return 0;
}

void conf_needs(const struct conf *conf, void (*fn)(void *arg, unsigned needs, const char *text), void *arg)
{
	for (const struct opt_group *const *g = conf->running->groups; *g != NULL; g++) {
		const struct slot *slot = slot_of(conf, *g);
		for (const struct opt *row = (*g)->rows; slot != NULL && row->name != NULL; row++) {
			const char *const *text = (const void *)((const char *)slot->block + row->off);
			if (row->needs != 0 && slot->given[row - (*g)->rows])
				fn(arg, row->needs, row->kind == OPT_TEXT ? *text : NULL);
		}
	}
}

unsigned opt_with(const struct opt_group *group, const struct opt *row)
{
	unsigned with = row->with;
	for (size_t i = 0; i < FACT_KINDS; i++)
		if ((row->with & fact_kinds[i]) == 0)
			with |= group->with & fact_kinds[i];
	return with;
}

/* The facts of a kind of which it needs one, where there is none; 0: it lacks nothing. */
static unsigned opt_lacks(unsigned with, unsigned facts)
{
	for (size_t i = 0; i < FACT_KINDS; i++)
		if ((with & fact_kinds[i]) != 0 && (with & fact_kinds[i] & facts) == 0)
			return with & fact_kinds[i];
	return 0;
}

const struct opt *conf_idle(const struct conf *conf, unsigned facts, unsigned *wants)
{
	for (const struct opt_group *const *g = conf->running->groups; *g != NULL; g++) {
		const struct slot *slot = slot_of(conf, *g);
		for (const struct opt *row = (*g)->rows; slot != NULL && row->name != NULL; row++) {
			*wants = slot->given[row - (*g)->rows] ? opt_lacks(opt_with(*g, row), facts) : 0;
			if (*wants != 0)
				return row;
		}
	}
	return NULL;
}

const void *conf_get(const struct conf *conf, const struct opt_group *group)
{
	const struct slot *slot = slot_of(conf, group);
	return slot == NULL ? NULL : slot->block;
}

const struct opt *conf_given(const struct conf *conf, const struct opt_group *group, size_t off)
{
	const struct slot *slot = slot_of(conf, group);
	for (const struct opt *row = group->rows; slot != NULL && row->name != NULL; row++)
		if (slot->given[row - group->rows] && (off == OPT_ANY || (off == row->off && (off > 0 || row->kind != OPT_HOOK))))
			return row;
	return NULL;
}
