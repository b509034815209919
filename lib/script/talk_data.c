/* Data of a talk script: strings, bytes in hexadecimal, files, given once or many times.
 *
 * Data to send are kept as written, `1000000*"ab"` as two bytes and a number, and copied out piece by piece: no script makes a
 * run hold more than the script itself. Expected data must be held whole, and are bounded. */
#include "script/talk_internal.h"

#include "base/mem.h"
#include "base/sys.h"
#include "base/text.h"

#include <string.h>

enum { TIMES_MOST = 1000000000, READ_BYTES = 65536 };

struct talk_chunk {
	struct talk_chunk *next;
	max_align_t mem[];
};

static void *talk_data_keep(struct talk_script *s, struct talk_chunk *c)
{
	c->next = s->chunks;
	s->chunks = c;
	return c->mem;
}

static int no_memory(struct err *e)
{
	return err_set(e, ERR_LOCAL, ENOMEM, "read the script of --talk");
}

void *talk_new(struct talk_script *s, size_t bytes, struct err *e)
{
	struct talk_chunk *c = mem_new(sizeof *c + bytes);
	if (c != NULL)
		return talk_data_keep(s, c);
	no_memory(e);
	return NULL;
}

/* --- files --- */

static int read_all(struct talk_script *s, int fd, struct talk_chunk **c, size_t *n, struct err *e)
{
	size_t cap = 0;
	for (ssize_t got = 1; got != 0;) {
		if (*n == cap) {
			cap = cap == 0 ? READ_BYTES : cap * 2;
			struct talk_chunk *more = mem_grow(*c, sizeof *more + cap);
			if (more == NULL)
				return no_memory(e);
			*c = more;
		}
		struct iovec v = { (char *)(*c)->mem + *n, cap - *n };
		got = sys_readv(fd, &v, 1);
		if (got < 0 && sys_again())
			continue;
		if (got < 0)
			return err_set(e, ERR_USAGE, errno, "read");
		*n += (size_t)got;
		if (*n > TALK_BYTES_MOST - s->bytes)
			return err_set(e, ERR_USAGE, 0, "the script and its files are over %d MiB", TALK_BYTES_MOST >> 20);
	}
	return 0;
}

int talk_read(struct talk_script *s, const char *path, struct talk_bytes *out, struct err *e)
{
	char shown[256];
	struct talk_chunk *c = NULL;
	size_t n = 0;
	text_show(shown, sizeof shown, path, strlen(path));
	int fd = sys_open(path, O_RDONLY, 0);
	if (fd < 0)
		return err_set(e, ERR_USAGE, errno, "%s", shown);
	int rc = read_all(s, fd, &c, &n, e);
	sys_close(fd);
	if (rc != 0 || c == NULL) {
		mem_free(c);
		return e->cls == ERR_USAGE ? err_prefix(e, "%s", shown) : -1;
	}
	s->bytes += n;
	*out = (struct talk_bytes){ talk_data_keep(s, c), n };
	return 0;
}

void talk_free(struct talk_script *s)
{
	if (s == NULL)
		return;
	for (struct talk_pattern *p = s->patterns; p != NULL; p = p->next)
		ere_close(p->ere);
	ere_cache_close(s->cache);
	while (s->chunks != NULL) {
		struct talk_chunk *c = s->chunks;
		s->chunks = c->next;
		mem_free(c);
	}
	mem_free(s);
}

/* --- reading items --- */

static int talk_data_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int new_part(struct talk_lex *l, struct talk_part ***tail, int group, const unsigned char *p, size_t n)
{
	struct talk_part *part = talk_new(l->script, sizeof *part, l->e);
	if (part == NULL)
		return -1;
	*part = (struct talk_part){ .group = group, .bytes = { p, n } };
	**tail = part;
	*tail = &part->next;
	return 0;
}

/* After a backslash: the byte, or -1 with e. */
static int talk_data_escape(struct talk_lex *l)
{
	static const char names[] = "nrt0\\\"$", bytes[] = "\n\r\t\0\\\"$";
	struct talk_place at = talk_here(l);
	const unsigned char *p = l->p + 1;
	const char *name = p < l->end && *p != '\0' ? strchr(names, *p) : NULL;
	if (name != NULL) {
		l->p += 2;
		return (unsigned char)bytes[name - names];
	}
	if (l->end - p >= 3 && *p == 'x' && talk_data_digit(p[1]) >= 0 && talk_data_digit(p[2]) >= 0) {
		l->p += 4;
		return talk_data_digit(p[1]) * 16 + talk_data_digit(p[2]);
	}
	char shown[16];
	text_show(shown, sizeof shown, p, p < l->end);
	return talk_wrong(l, &at, "unknown escape \"\\%s\", expected \\n \\r \\t \\0 \\\\ \\\" \\$ or \\xHH", shown);
}

/* The closing quote of the string at l->p; NULL: its line ends first. */
static const unsigned char *talk_data_closing(const struct talk_lex *l)
{
	const unsigned char *p = l->p + 1;
	while (p < l->end && *p != '"' && *p != '\n')
		p += *p == '\\' && l->end - p > 1 && p[1] != '\n' ? 2 : 1;
	return p < l->end && *p == '"' ? p : NULL;
}

/* Bytes and $n become parts; the bytes of all of them stand in one block. */
static int talk_data_string(struct talk_lex *l, bool groups, struct talk_item *item, int *highest)
{
	struct talk_place at = talk_here(l);
	struct talk_part **tail = &item->parts;
	const unsigned char *close = talk_data_closing(l);
	if (close == NULL)
		return talk_wrong(l, &at, "a string without its closing quote");
	unsigned char *to = talk_new(l->script, (size_t)(close - l->p), l->e), *from = to;
	if (to == NULL)
		return -1;
	for (l->p++; l->p < close;) {
		bool group = groups && *l->p == '$' && l->p[1] >= '0' && l->p[1] <= '9';
		int byte = group ? l->p[1] - '0' : *l->p == '\\' ? talk_data_escape(l) : *l->p++;
		if (byte < 0)
			return -1;
		if (!group) {
			*to++ = (unsigned char)byte;
			continue;
		}
		if ((to > from && new_part(l, &tail, -1, from, (size_t)(to - from)) != 0) ||
			new_part(l, &tail, byte, NULL, 0) != 0)
			return -1;
		*highest = byte > *highest ? byte : *highest;
		from = to;
		l->p += 2;
	}
	talk_drop(l, 1);
	return to > from ? new_part(l, &tail, -1, from, (size_t)(to - from)) : 0;
}

static int talk_data_hex(struct talk_lex *l, struct talk_item *item)
{
	struct talk_place at = talk_here(l);
	struct talk_part **tail = &item->parts;
	l->p++;
	const unsigned char *close = talk_data_closing(l);
	if (close == NULL)
		return talk_wrong(l, &at, "bytes without their closing quote");
	unsigned char *to = talk_new(l->script, (size_t)(close - l->p), l->e);
	if (to == NULL)
		return -1;
	size_t n = 0;
	for (l->p++; l->p < close; l->p++) {
		if (*l->p == ' ' || *l->p == '\t')
			continue;
		if (talk_data_digit(*l->p) < 0)
			return talk_expected(l, "hexadecimal digits", "x");
		to[n / 2] = (unsigned char)(to[n / 2] << 4 | talk_data_digit(*l->p));
		n++;
	}
	talk_drop(l, 1);
	if (n % 2 != 0)
		return talk_wrong(l, &at, "%lu hexadecimal digits make no whole bytes", (unsigned long)n);
	return new_part(l, &tail, -1, to, n / 2);
}

static int talk_data_file(struct talk_lex *l, struct talk_item *item)
{
	struct talk_place at = talk_here(l);
	struct talk_item path = { 0 };
	struct talk_part **tail = &item->parts;
	struct talk_bytes bytes = { 0 };
	struct err why = { 0 };
	int unused = -1;
	l->p++;
	if (talk_data_string(l, false, &path, &unused) != 0)
		return -1;
	struct talk_bytes name = path.parts != NULL ? path.parts->bytes : (struct talk_bytes){ (const unsigned char *)"", 0 };
	if (memchr(name.p, '\0', name.n) != NULL)
		return talk_wrong(l, &at, "a path with a NUL byte");
	/* The block of a string has room for its closing quote, and is zeroed. */
	if (talk_read(l->script, (const char *)name.p, &bytes, &why) != 0)
		return why.cls == ERR_USAGE ? talk_wrong(l, &at, "%s", why.what) : (*l->e = why, -1);
	return new_part(l, &tail, -1, bytes.p, bytes.n);
}

/* Digits, and this after them (and blanks)? */
static bool number_before(const struct talk_lex *l, unsigned char what)
{
	const unsigned char *p = l->p;
	while (p < l->end && *p >= '0' && *p <= '9')
		p++;
	if (p == l->p)
		return false;
	while (p < l->end && (*p == ' ' || *p == '\t'))
		p++;
	return p < l->end && *p == what;
}

bool talk_is_data(struct talk_lex *l)
{
	if (talk_ended(l))
		return false;
	bool named = (*l->p == 'x' || *l->p == '@') && l->end - l->p > 1 && l->p[1] == '"';
	return *l->p == '"' || named || number_before(l, '*');
}

static int talk_data_item(struct talk_lex *l, bool groups, struct talk_item *out, int *highest)
{
	out->times = 1;
	if (number_before(l, '*')) {
		if (talk_number(l, TIMES_MOST, &out->times) != 0)
			return -1;
		talk_blanks(l);
		talk_drop(l, 1);
		if (!talk_is_data(l) || number_before(l, '*'))
			return talk_expected(l, "data", "*");
	}
	return *l->p == '"'   ? talk_data_string(l, groups, out, highest)
	       : *l->p == 'x' ? talk_data_hex(l, out)
			      : talk_data_file(l, out);
}

int talk_data(struct talk_lex *l, bool groups, const char *after, struct talk_data *out)
{
	struct talk_item **tail = &out->items;
	out->groups = -1;
	if (!talk_is_data(l))
		return talk_expected(l, "data (\"text\", x\"6869\" or @\"file\")", after);
	do {
		struct talk_item *i = talk_new(l->script, sizeof *i, l->e);
		if (i == NULL || talk_data_item(l, groups, i, &out->groups) != 0)
			return -1;
		*tail = i;
		tail = &i->next;
	} while (talk_is_data(l));
	return 0;
}

/* --- using them --- */

static struct talk_bytes bytes_of(const struct talk_part *part, const struct talk_bytes *group)
{
	return part->group < 0 ? part->bytes : group[part->group];
}

static uint64_t talk_data_once(const struct talk_item *i, const struct talk_bytes *group)
{
	uint64_t sum = 0;
	for (const struct talk_part *part = i->parts; part != NULL; part = part->next)
		sum += bytes_of(part, group).n;
	return sum;
}

/* The sum cannot overflow: the parts are in memory. */
uint64_t talk_data_size(const struct talk_data *d, const struct talk_bytes *group)
{
	uint64_t sum = 0;
	for (const struct talk_item *i = d->items; i != NULL; i = i->next) {
		uint64_t n = talk_data_once(i, group);
		if (n > 0 && i->times > (UINT64_MAX - sum) / n)
			return UINT64_MAX;
		sum += n * i->times;
	}
	return sum;
}

size_t talk_data_copy(const struct talk_data *d, const struct talk_bytes *group, uint64_t at, void *out, size_t cap)
{
	size_t done = 0;
	for (const struct talk_item *i = d->items; i != NULL; i = i->next) {
		uint64_t n = talk_data_once(i, group), all = n * i->times;
		if (at >= all) {
			at -= all;
			continue;
		}
		uint64_t from = at % n, left = all - at;
		at = 0;
		while (left > 0 && done < cap)
			for (const struct talk_part *part = i->parts; part != NULL && done < cap; part = part->next) {
				struct talk_bytes b = bytes_of(part, group);
				if (from >= b.n) {
					from -= b.n;
					continue;
				}
				size_t some = b.n - (size_t)from < cap - done ? b.n - (size_t)from : cap - done;
				memcpy((char *)out + done, b.p + from, some);
				done += some;
				left -= some;
				from = 0;
			}
	}
	return done;
}
