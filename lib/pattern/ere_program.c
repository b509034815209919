/* From the tree of an expression to its program.
 *
 * A repetition {m,n} is written out n times, which is why the size of programs is bounded and not the numbers. Bytes that no
 * instruction distinguishes form a class, so that a cached state has one entry for each class and not for each byte. */
#include "pattern/ere_internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

struct writer {
	struct ere *x;
	const struct ere_tree *t;
	unsigned calls; /* empty parts write nothing and could repeat without end */
	bool over;
};

static uint16_t write_inst(struct writer *w, enum ere_op op, unsigned arg, unsigned x)
{
	w->over |= w->x->insts_n == ERE_INSTS_MOST;
	if (w->over)
		return 0;
	w->x->insts[w->x->insts_n] = (struct ere_inst){ .op = (uint8_t)op, .arg = (uint8_t)arg, .x = (uint16_t)x };
	return w->x->insts_n++;
}

static void write_node(struct writer *w, int at);

static void write_group(struct writer *w, const struct ere_node *node)
{
	bool kept = node->arg < ERE_GROUPS;
	if (kept)
		write_inst(w, ERE_DO_SAVE, 2 * (unsigned)node->arg, 0);
	write_node(w, node->first);
	if (kept)
		write_inst(w, ERE_DO_SAVE, 2 * (unsigned)node->arg + 1, 0);
}

/* Each alternative but the last has a choice before it and a jump to the end after it. The jumps are a list through their own x
 * until their target is known. */
static void write_alternatives(struct writer *w, const struct ere_node *node)
{
	unsigned outs = ERE_INSTS_MOST;
	for (int at = node->first; at != ERE_NONE && !w->over; at = w->t->nodes[at].next) {
		if (w->t->nodes[at].next == ERE_NONE) {
			write_node(w, at);
			break;
		}
		uint16_t split = write_inst(w, ERE_DO_SPLIT, 0, w->x->insts_n + 1u);
		write_node(w, at);
		outs = write_inst(w, ERE_DO_JUMP, 0, outs);
		w->x->insts[split].y = w->x->insts_n;
	}
	while (outs != ERE_INSTS_MOST && !w->over) {
		unsigned next = w->x->insts[outs].x;
		w->x->insts[outs].x = w->x->insts_n;
		outs = next;
	}
}

static void write_star(struct writer *w, int child)
{
	uint16_t split = write_inst(w, ERE_DO_SPLIT, 0, w->x->insts_n + 1u);
	write_node(w, child);
	write_inst(w, ERE_DO_JUMP, 0, split);
	w->x->insts[split].y = w->x->insts_n;
}

static void write_repeat(struct writer *w, const struct ere_node *node)
{
	unsigned outs = ERE_INSTS_MOST, more = node->max == ERE_FOREVER ? 0 : node->max - node->min;
	uint16_t last = 0;
	for (unsigned i = 0; i < node->min && !w->over; i++) {
		last = w->x->insts_n;
		write_node(w, node->first);
	}
	if (node->max == ERE_FOREVER && node->min == 0)
		write_star(w, node->first);
	else if (node->max == ERE_FOREVER) {
		uint16_t split = write_inst(w, ERE_DO_SPLIT, 0, last);
		w->x->insts[split].y = w->x->insts_n;
	}
	for (unsigned i = 0; i < more && !w->over; i++) {
		uint16_t split = write_inst(w, ERE_DO_SPLIT, 0, w->x->insts_n + 1u);
		w->x->insts[split].y = (uint16_t)outs;
		outs = split;
		write_node(w, node->first);
	}
	while (outs != ERE_INSTS_MOST && !w->over) {
		unsigned next = w->x->insts[outs].y;
		w->x->insts[outs].y = w->x->insts_n;
		outs = next;
	}
}

static void write_node(struct writer *w, int at)
{
	const struct ere_node *node = &w->t->nodes[at];
	w->over |= ++w->calls > 4 * ERE_INSTS_MOST;
	if (w->over)
		return;
	switch (node->kind) {
	case ERE_SET:
		write_inst(w, ERE_DO_SET, 0, (unsigned)node->arg);
		break;
	case ERE_ASSERT:
		w->x->words |= node->arg >= ERE_WORD_FIRST;
		write_inst(w, ERE_DO_ASSERT, (unsigned)node->arg, 0);
		break;
	case ERE_GROUP:
		write_group(w, node);
		break;
	case ERE_ALT:
		write_alternatives(w, node);
		break;
	case ERE_REPEAT:
		write_repeat(w, node);
		break;
	default:
		for (int child = node->first; child != ERE_NONE && !w->over; child = w->t->nodes[child].next)
			write_node(w, child);
	}
}

/* --- classes --- */

/* Splits a class into the bytes that are in the set and those that are not. */
static void split_classes(struct ere *x, const struct ere_set *s)
{
	uint16_t in[256], out[256];
	unsigned n = 0;
	memset(in, 0xff, sizeof in);
	memset(out, 0xff, sizeof out);
	for (unsigned byte = 0; byte < 256; byte++) {
		uint16_t *to = ere_has(s, byte) ? &in[x->class_of[byte]] : &out[x->class_of[byte]];
		if (*to == 0xffff)
			*to = (uint16_t)n++;
		x->class_of[byte] = (uint8_t)*to;
	}
	x->classes = n;
}

static void find_classes(struct ere *x, int sets_n)
{
	struct ere_set words = { 0 };
	memset(x->class_of, 0, sizeof x->class_of);
	x->classes = 1;
	for (int i = 0; i < sets_n && x->classes < 256; i++)
		split_classes(x, &x->sets[i]);
	ere_add_class(&words, "word");
	if (x->words && x->classes < 256)
		split_classes(x, &words);
	for (unsigned byte = 0; byte < 256; byte++)
		x->byte_of[x->class_of[byte]] = (uint8_t)byte;
}

/* --- the whole --- */

/* Every match begins with "^" if the first instruction that is no parenthesis is "^". */
static bool is_anchored(const struct ere *x)
{
	uint16_t i = 0;
	while (x->insts[i].op == ERE_DO_SAVE)
		i++;
	return x->insts[i].op == ERE_DO_ASSERT && x->insts[i].arg == ERE_BEGIN;
}

static int write_program(struct ere *x, struct ere_tree *t, char why[ERE_WORDS])
{
	struct writer w = { .x = x, .t = t };
	x->insts = mem_new(ERE_INSTS_MOST * sizeof *x->insts);
	if (x->insts == NULL)
		return ere_refuse(why, "");
	write_node(&w, t->root);
	write_inst(&w, ERE_DO_MATCH, 0, 0);
	if (w.over) {
		snprintf(why, ERE_WORDS, "it is too large: with each {m,n} written out it would have over %d parts",
			ERE_INSTS_MOST);
		return -1;
	}
	void *fits = mem_grow(x->insts, x->insts_n * sizeof *x->insts);
	x->insts = fits != NULL ? fits : x->insts;
	x->sets = t->sets;
	x->groups = t->groups;
	find_classes(x, t->sets_n);
	x->anchored = is_anchored(x);
	t->sets = NULL;
	return 0;
}

struct ere *ere_open(const unsigned char *text, size_t n, bool icase, char why[ERE_WORDS])
{
	struct ere_tree t;
	struct ere *x = mem_new(sizeof *x);
	why[0] = '\0';
	if (x == NULL)
		return NULL;
	int rc = ere_parse(&t, text, n, icase, why);
	if (rc == 0)
		rc = write_program(x, &t, why);
	ere_tree_free(&t);
	if (rc == 0)
		return x;
	ere_close(x);
	return NULL;
}

void ere_close(struct ere *x)
{
	if (x == NULL)
		return;
	mem_free(x->insts);
	mem_free(x->sets);
	mem_free(x);
}

size_t ere_groups(const struct ere *x)
{
	return (size_t)x->groups;
}

size_t ere_size(const struct ere *x)
{
	return x->insts_n;
}

bool ere_holds(unsigned assertion, unsigned before, bool at_end, bool before_word)
{
	bool after = before & ERE_AFTER_WORD;
	switch (assertion) {
	case ERE_BEGIN:
		return before & ERE_AT_BEGIN;
	case ERE_END:
		return at_end;
	case ERE_WORD_FIRST:
		return !after && before_word;
	case ERE_WORD_LAST:
		return after && !before_word;
	case ERE_WORD_EDGE:
		return after != before_word;
	default:
		return after == before_word;
	}
}
