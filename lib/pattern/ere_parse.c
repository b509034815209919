/* From the text of an expression to its tree.
 *
 * alternatives = sequence { "|" sequence }; sequence = { piece }; piece = atom { "*" | "+" | "?" | "{" m [ "," [ n ] ] "}" }
 *
 * Where POSIX leaves a choice, glibc's is taken: a sequence may be empty, ")" without "(" is itself, and a repetition must follow
 * something that is no anchor. The depth of the tree is bounded, because recursive functions walk it. */
#include "pattern/ere_internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { NODES_MOST = 4 * ERE_INSTS_MOST };

struct reader {
	struct ere_tree *t;
	const unsigned char *p, *end;
	bool icase;
	int deep; /* in parentheses */
	char *why;
};

/* --- memory --- */

static int more_room(void **mem, int n, int *cap, size_t each, char *why)
{
	int more = *cap == 0 ? 64 : *cap * 2;
	if (n < *cap)
		return 0;
	if (n >= NODES_MOST)
		return ere_refuse(why, "it is too long");
	void *grown = mem_grow(*mem, (size_t)more * each);
	if (grown == NULL)
		return ere_refuse(why, "");
	*mem = grown;
	*cap = more;
	return 0;
}

static int new_node(struct reader *r, enum ere_kind kind, int arg)
{
	struct ere_tree *t = r->t;
	void *mem = t->nodes;
	if (more_room(&mem, t->nodes_n, &t->nodes_cap, sizeof *t->nodes, r->why) != 0)
		return -1;
	t->nodes = mem;
	t->nodes[t->nodes_n] = (struct ere_node){ .kind = (uint8_t)kind, .arg = arg, .first = ERE_NONE, .next = ERE_NONE };
	return t->nodes_n++;
}

/* A node that matches one byte of this set; a set that exists already is used again. */
static int set_node(struct reader *r, const struct ere_set *s)
{
	enum { LOOK_BACK = 64 };
	struct ere_tree *t = r->t;
	for (int i = t->sets_n - 1; i >= 0 && i >= t->sets_n - LOOK_BACK; i--)
		if (memcmp(&t->sets[i], s, sizeof *s) == 0)
			return new_node(r, ERE_SET, i);
	void *mem = t->sets;
	if (more_room(&mem, t->sets_n, &t->sets_cap, sizeof *t->sets, r->why) != 0)
		return -1;
	t->sets = mem;
	t->sets[t->sets_n] = *s;
	return new_node(r, ERE_SET, t->sets_n++);
}

void ere_tree_free(struct ere_tree *t)
{
	mem_free(t->nodes);
	mem_free(t->sets);
	*t = (struct ere_tree){ 0 };
}

/* After the last child, or as the first. -1: the tree is too deep. */
static int add_child(struct reader *r, int parent, int last, int child)
{
	struct ere_node *p = &r->t->nodes[parent];
	uint8_t deep = r->t->nodes[child].deep;
	if (deep >= ERE_DEEP)
		return ere_refuse(r->why, "its parentheses and repetitions are too deep, one in the other");
	p->deep = deep + 1 > p->deep ? (uint8_t)(deep + 1) : p->deep;
	*(last == ERE_NONE ? &p->first : &r->t->nodes[last].next) = child;
	return 0;
}

/* --- atoms --- */

static int byte_node(struct reader *r, unsigned byte)
{
	struct ere_set s = { 0 };
	unsigned low = byte | 0x20;
	s.bits[byte / 8] |= (uint8_t)(1 << (byte % 8));
	if (r->icase && low >= 'a' && low <= 'z' && byte < 0x80) {
		unsigned other = byte ^ 0x20;
		s.bits[other / 8] |= (uint8_t)(1 << (other % 8));
	}
	return set_node(r, &s);
}

static int class_node(struct reader *r, const char *name, bool not )
{
	struct ere_set s = { 0 };
	ere_add_class(&s, name);
	for (size_t i = 0; not &&i < sizeof s.bits; i++)
		s.bits[i] = (uint8_t)~s.bits[i];
	return set_node(r, &s);
}

/* After a backslash. */
static int escape_node(struct reader *r)
{
	static const char edges[] = "<>bB`'";
	static const uint8_t asserts[] = { ERE_WORD_FIRST, ERE_WORD_LAST, ERE_WORD_EDGE, ERE_WORD_INSIDE, ERE_BEGIN, ERE_END };
	if (r->p == r->end)
		return ere_refuse(r->why, "a backslash at its end");
	unsigned char c = *r->p++;
	const char *edge = c != '\0' ? strchr(edges, c) : NULL;
	if (edge != NULL)
		return new_node(r, ERE_ASSERT, asserts[edge - edges]);
	if (c >= '1' && c <= '9') {
		snprintf(r->why, ERE_WORDS,
			"\\%c is a back-reference, for which no time and memory could be promised: not supported", c);
		return -1;
	}
	if (c == 'w' || c == 'W')
		return class_node(r, "word", c == 'W');
	if (c == 's' || c == 'S')
		return class_node(r, "space", c == 'S');
	return byte_node(r, c);
}

static int read_alternatives(struct reader *r);

static int group_node(struct reader *r)
{
	int group = new_node(r, ERE_GROUP, ++r->t->groups);
	if (group < 0)
		return -1;
	if (++r->deep > ERE_DEEP)
		return ere_refuse(r->why, "its parentheses are too deep, one in the other");
	int inner = read_alternatives(r);
	if (inner < 0 || add_child(r, group, ERE_NONE, inner) != 0)
		return -1;
	r->deep--;
	if (r->p == r->end)
		return ere_refuse(r->why, "( without )");
	r->p++;
	return group;
}

static int read_atom(struct reader *r)
{
	struct ere_set s = { 0 };
	unsigned char c = *r->p++;
	switch (c) {
	case '(':
		return group_node(r);
	case '[': {
		ptrdiff_t used = ere_bracket(&s, r->p, (size_t)(r->end - r->p), r->icase, r->why);
		r->p += used > 0 ? used : 0;
		return used < 0 ? -1 : set_node(r, &s);
	}
	case '.':
		memset(&s, 0xff, sizeof s);
		return set_node(r, &s);
	case '^':
	case '$':
		return new_node(r, ERE_ASSERT, c == '^' ? ERE_BEGIN : ERE_END);
	case '\\':
		return escape_node(r);
	case '*':
	case '+':
	case '?':
	case '{':
		snprintf(r->why, ERE_WORDS, "nothing stands before %c that could be repeated", c);
		return -1;
	default:
		return byte_node(r, c);
	}
}

/* --- repetitions --- */

/* A number, or -1: there is none here. */
static int read_number(struct reader *r)
{
	int n = -1;
	for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++)
		if (n <= ERE_REPEAT_MOST)
			n = (n < 0 ? 0 : n) * 10 + (*r->p - '0');
	return n;
}

/* After "{". */
static int read_interval(struct reader *r, uint16_t *min, uint16_t *max)
{
	int from = read_number(r), to = from;
	if (r->p < r->end && *r->p == ',') {
		r->p++;
		to = read_number(r);
		from = from < 0 ? 0 : from;
		to = to < 0 ? ERE_FOREVER : to;
	}
	if (from < 0 || r->p == r->end || *r->p != '}')
		return ere_refuse(r->why, "{ without }, expected {m}, {m,} or {m,n}");
	r->p++;
	if (from > ERE_REPEAT_MOST || (to > ERE_REPEAT_MOST && to != ERE_FOREVER))
		return ere_refuse(r->why, "a number in { } is too large");
	if (to < from)
		return ere_refuse(r->why, "in {m,n} n is less than m");
	*min = (uint16_t)from;
	*max = (uint16_t)to;
	return 0;
}

static int read_repeats(struct reader *r, int atom)
{
	while (atom >= 0 && r->p < r->end && memchr("*+?{", *r->p, 4) != NULL) {
		unsigned char c = *r->p++;
		uint16_t min = c == '+', max = c == '?' ? 1 : ERE_FOREVER;
		if (c == '{' && read_interval(r, &min, &max) != 0)
			return -1;
		int repeat = new_node(r, ERE_REPEAT, 0);
		if (repeat < 0 || add_child(r, repeat, ERE_NONE, atom) != 0)
			return -1;
		r->t->nodes[repeat].min = min;
		r->t->nodes[repeat].max = max;
		atom = repeat;
	}
	return atom;
}

/* --- the whole --- */

static int read_sequence(struct reader *r)
{
	int cat = new_node(r, ERE_CAT, 0), last = ERE_NONE;
	while (cat >= 0 && r->p < r->end && *r->p != '|' && (*r->p != ')' || r->deep == 0)) {
		int piece = read_atom(r);
		if (piece >= 0 && r->t->nodes[piece].kind != ERE_ASSERT)
			piece = read_repeats(r, piece);
		if (piece < 0 || add_child(r, cat, last, piece) != 0)
			return -1;
		last = piece;
	}
	return cat;
}

static int read_alternatives(struct reader *r)
{
	int first = read_sequence(r), last = first;
	if (first < 0 || r->p == r->end || *r->p != '|')
		return first;
	int alt = new_node(r, ERE_ALT, 0);
	if (alt < 0 || add_child(r, alt, ERE_NONE, first) != 0)
		return -1;
	while (r->p < r->end && *r->p == '|') {
		r->p++;
		int next = read_sequence(r);
		if (next < 0 || add_child(r, alt, last, next) != 0)
			return -1;
		last = next;
	}
	return alt;
}

int ere_parse(struct ere_tree *t, const unsigned char *text, size_t n, bool icase, char why[ERE_WORDS])
{
	struct reader r = { .t = t, .p = text, .end = text + n, .icase = icase, .why = why };
	*t = (struct ere_tree){ 0 };
	why[0] = '\0';
	t->root = read_alternatives(&r);
	return t->root < 0 ? -1 : 0;
}
