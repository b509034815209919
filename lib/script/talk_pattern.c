/* Patterns of a talk script: what is expected, and how it is compared. Their data become one block here, because they are
 * compared. */
#include "script/talk_internal.h"

#include <errno.h>
#include <string.h>

int talk_flatten(struct talk_script *s, struct talk_pattern *p, const struct talk_place *at, struct err *e)
{
	uint64_t size = talk_data_size(&p->data, NULL);
	if (size > TALK_BYTES_MOST)
		return talk_refuse(e, at, "what is expected is over %d MiB", TALK_BYTES_MOST >> 20);
	unsigned char *bytes = talk_new(s, (size_t)size + 1, e); /* at least one byte */
	if (bytes == NULL)
		return -1;
	p->text = (struct talk_bytes){ bytes, talk_data_copy(&p->data, NULL, 0, bytes, (size_t)size) };
	needle_make(&p->needle, p->text.p, p->text.n, p->icase);
	return 0;
}

static int talk_pattern_compile(struct talk_lex *l, struct talk_pattern *p, const struct talk_place *at)
{
	char why[ERE_WORDS];
	if (memchr(p->text.p, '\0', p->text.n) != NULL)
		return talk_wrong(l, at, "a regular expression cannot hold a NUL byte");
	if (l->script->cache == NULL)
		l->script->cache = ere_cache_open();
	p->cache = l->script->cache;
	p->ere = p->cache != NULL ? ere_open(p->text.p, p->text.n, p->icase, why) : NULL;
	if (p->ere != NULL)
		return 0;
	if (p->cache == NULL || why[0] == '\0')
		return err_set(l->e, ERR_LOCAL, ENOMEM, "read the script of --talk");
	return talk_wrong(l, at, "regular expression: %s", why);
}

static bool take_sign(struct talk_lex *l, unsigned char sign)
{
	talk_blanks(l);
	if (l->p == l->end || *l->p != sign)
		return false;
	talk_drop(l, 1);
	return true;
}

/* "i" with data after it. */
static bool take_case(struct talk_lex *l)
{
	struct talk_lex ahead = *l;
	if (!take_sign(&ahead, 'i') || !talk_is_data(&ahead))
		return false;
	*l = ahead;
	return true;
}

static bool is_count(struct talk_lex *l)
{
	return !talk_ended(l) && *l->p >= '0' && *l->p <= '9' && !talk_is_data(l);
}

static int talk_pattern_literal(struct talk_lex *l, struct talk_pattern *p, const char *after)
{
	struct talk_place at = talk_here(l);
	p->kind = take_sign(l, '^')   ? TALK_PREFIX
		  : take_sign(l, '*') ? TALK_CONTAINS
		  : take_sign(l, '~') ? TALK_REGEX
				      : TALK_EQUAL;
	p->icase = take_case(l);
	if (!talk_is_data(l))
		return talk_expected(l, p->kind == TALK_EQUAL ? "a pattern" : "data of a pattern", after);
	if (talk_data(l, false, after, &p->data) != 0 || talk_flatten(l->script, p, &at, l->e) != 0)
		return -1;
	return p->kind == TALK_REGEX ? talk_pattern_compile(l, p, &at) : 0;
}

struct talk_pattern *talk_pattern(struct talk_lex *l, const char *after)
{
	uint32_t count = 0;
	int rc = 0;
	struct talk_pattern *p = talk_new(l->script, sizeof *p, l->e);
	if (p == NULL)
		return NULL;
	p->next = l->script->patterns;
	l->script->patterns = p;
	talk_blanks(l);
	p->words.p = l->p;
	p->not = take_sign(l, '!');
	if (talk_takes(l, "any")) {
		p->kind = TALK_ANY;
	} else if (is_count(l)) {
		p->kind = TALK_COUNT;
		rc = talk_number(l, TALK_NUMBER_MOST, &count);
		if (rc == 0 && !talk_takes(l, "bytes") && !talk_takes(l, "byte"))
			rc = talk_expected(l, "\"bytes\"", "a number");
		p->count = count;
	} else {
		rc = talk_pattern_literal(l, p, after);
	}
	p->words.n = (size_t)(l->last - p->words.p);
	return rc == 0 ? p : NULL;
}
