/* The faults, and how one is parsed. A row says where a fault can be, whether it has a direction, and how its value looks; a
 * reader turns the value into numbers. Other files apply them. */
#include "fault/fault_spec.h"

#include "base/num.h"
#include "base/rng.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { PIECE = 128, MOST_BYTES_S = 1 << 30, DATAGRAM_MOST = 65535, REORDER_MOST = 64, BUFFER_MOST = 1 << 30, MOST_HOURS = 10000 };

typedef int reader(struct fault_spec *s, const char *text, struct err *e);
static reader read_time, read_jitter, read_rate, read_range, read_after, read_one_in, read_place, read_buffer, read_share,
	read_reorder, read_length;

static const struct row {
	const char *name, *value; /* value: how it looks, NULL: it has none */
	reader *read;
	unsigned places;
	bool aimed;   /* it has a direction */
	bool general; /* it concerns the whole listener: no connection can be named */
} rows[FAULT_KINDS] = {
	[FAULT_REFUSE_FOR] = { "refuse-for", "TIME", read_time, FAULT_AT_LISTENER, false, true },
	[FAULT_ACCEPT_DELAY] = { "accept-delay", "TIME", read_time, FAULT_AT_LISTENER, false, false },
	[FAULT_ACCEPT_RST] = { "accept-rst", NULL, NULL, FAULT_AT_LISTENER, false, false },
	[FAULT_NO_ACCEPT] = { "no-accept", NULL, NULL, FAULT_AT_LISTENER, false, true },
	[FAULT_BACKLOG_FULL] = { "backlog-full", NULL, NULL, FAULT_AT_LISTENER, false, true },
	[FAULT_LATENCY] = { "latency", "TIME[~JITTER]", read_jitter, FAULT_AT_STREAM | FAULT_AT_DGRAM, true, false },
	[FAULT_RATE] = { "rate", "SIZE", read_rate, FAULT_AT_STREAM, true, false },
	[FAULT_CHUNK] = { "chunk", "A..B", read_range, FAULT_AT_STREAM, true, false },
	[FAULT_GAP] = { "gap", "TIME", read_time, FAULT_AT_STREAM, true, false },
	[FAULT_STALL] = { "stall-after", "SIZE|TIME", read_after, FAULT_AT_STREAM, true, false },
	[FAULT_SINK] = { "sink-after", "SIZE|TIME", read_after, FAULT_AT_STREAM, true, false },
	[FAULT_CLOSE] = { "close-after", "SIZE|TIME", read_after, FAULT_AT_STREAM, true, false },
	[FAULT_HALF] = { "half-after", "SIZE|TIME", read_after, FAULT_AT_STREAM, true, false },
	[FAULT_RST] = { "rst-after", "SIZE|TIME", read_after, FAULT_AT_STREAM, true, false },
	[FAULT_SLOW_CLOSE] = { "slow-close", "TIME", read_time, FAULT_AT_STREAM, false, false },
	[FAULT_CORRUPT] = { "corrupt", "1/N", read_one_in, FAULT_AT_STREAM, true, false },
	[FAULT_CORRUPT_AT] = { "corrupt-at", "OFFSET", read_place, FAULT_AT_STREAM, true, false },
	[FAULT_RCVBUF] = { "rcvbuf", "SIZE", read_buffer, FAULT_AT_STREAM, false, false },
	[FAULT_LOSS] = { "loss", "P%|#N,#N...", read_share, FAULT_AT_DGRAM, true, false },
	[FAULT_DUP] = { "dup", "P%|#N,#N...", read_share, FAULT_AT_DGRAM, true, false },
	[FAULT_REORDER] = { "reorder", "P%/N", read_reorder, FAULT_AT_DGRAM, true, false },
	[FAULT_TRUNCATE] = { "truncate", "SIZE", read_length, FAULT_AT_DGRAM, true, false },
};

const char *fault_name(const struct fault_spec *spec)
{
	return rows[spec->kind].name;
}

unsigned fault_places(const struct fault_spec *spec)
{
	return rows[spec->kind].places;
}

const char *fault_names(unsigned places, char out[FAULT_NAMES])
{
	size_t n = 0;
	out[0] = '\0';
	for (size_t i = 0; i < FAULT_KINDS; i++)
		if ((rows[i].places & places) != 0 && n < FAULT_NAMES)
			n += (size_t)snprintf(out + n, FAULT_NAMES - n, "%s%s", n > 0 ? ", " : "", rows[i].name);
	return out;
}

/* --- values --- */

static int fault_spec_refuse(const char *got, const char *expected, struct err *e)
{
	char shown[PIECE];
	text_show(shown, sizeof shown, got, strlen(got));
	return err_set(e, ERR_USAGE, 0, "got \"%s\", expected %s", shown, expected);
}

/* These are added to the time of day in microseconds. */
static int fault_spec_duration(const char *text, int64_t *out, struct err *e)
{
	if (num_duration(text, false, out, e) != 0)
		return -1;
	return *out <= MOST_HOURS * 3600000LL ? 0 : fault_spec_refuse(text, "10000h at most", e);
}

static int read_time(struct fault_spec *s, const char *text, struct err *e)
{
	return fault_spec_duration(text, &s->a, e);
}

/* Cuts text at the mark; returns the rest, or NULL. */
static char *fault_spec_cut(char *text, const char *mark)
{
	char *at = strstr(text, mark);
	if (at == NULL)
		return NULL;
	*at = '\0';
	return at + strlen(mark);
}

static int fault_spec_copy(char out[PIECE], const char *text, struct err *e)
{
	if (strlen(text) >= PIECE)
		return fault_spec_refuse(text, "something shorter", e);
	strcpy(out, text);
	return 0;
}

static int read_jitter(struct fault_spec *s, const char *text, struct err *e)
{
	char mean[PIECE];
	if (fault_spec_copy(mean, text, e) != 0)
		return -1;
	const char *jitter = fault_spec_cut(mean, "~");
	if (fault_spec_duration(mean, &s->a, e) != 0)
		return -1;
	return jitter != NULL ? fault_spec_duration(jitter, &s->b, e) : 0;
}

static int size_within(const char *text, int64_t least, int64_t most, int64_t *out, struct err *e)
{
	if (num_size(text, out, e) != 0)
		return -1;
	if (*out >= least && *out <= most)
		return 0;
	return err_set(
		e, ERR_USAGE, 0, "got %lld, expected %lld to %lld bytes", (long long)*out, (long long)least, (long long)most);
}

static int read_rate(struct fault_spec *s, const char *text, struct err *e)
{
	return size_within(text, 1, MOST_BYTES_S, &s->a, e);
}

static int read_range(struct fault_spec *s, const char *text, struct err *e)
{
	char least[PIECE];
	if (fault_spec_copy(least, text, e) != 0)
		return -1;
	const char *most = fault_spec_cut(least, "..");
	if (size_within(least, 1, BUFFER_MOST, &s->a, e) != 0 ||
		size_within(most != NULL ? most : least, 1, BUFFER_MOST, &s->b, e) != 0)
		return -1;
	return s->a <= s->b ? 0 : fault_spec_refuse(text, "the smaller number first", e);
}

/* "64k" is a size and "10m" are minutes: no unit is both. */
static int read_after(struct fault_spec *s, const char *text, struct err *e)
{
	if (num_size(text, &s->a, NULL) == 0)
		return 0;
	s->timed = true;
	if (fault_spec_duration(text, &s->a, NULL) == 0)
		return 0;
	return fault_spec_refuse(text, "bytes such as 100 or 64k, or a time such as 500ms or 2s", e);
}

static int read_one_in(struct fault_spec *s, const char *text, struct err *e)
{
	if (strncmp(text, "1/", 2) == 0)
		return size_within(text + 2, 1, BUFFER_MOST, &s->a, e);
	return fault_spec_refuse(text, "a share such as 1/1000", e);
}

static int read_place(struct fault_spec *s, const char *text, struct err *e)
{
	return num_size(text, &s->a, e);
}

static int read_buffer(struct fault_spec *s, const char *text, struct err *e)
{
	return size_within(text, 1, BUFFER_MOST, &s->a, e);
}

static int read_length(struct fault_spec *s, const char *text, struct err *e)
{
	return size_within(text, 0, DATAGRAM_MOST, &s->a, e);
}

/* "5%" and "0.25%", per million. */
static int fault_spec_percent(const char *text, int64_t *out, struct err *e)
{
	enum { PER_CENT = RNG_ALWAYS / 100, DIGITS = 4 };
	int64_t unit = PER_CENT, n = 0;
	const char *p = text;
	for (; *p >= '0' && *p <= '9' && n <= RNG_ALWAYS; p++)
		n = n * 10 + (*p - '0') * PER_CENT;
	bool some = p > text;
	if (some && *p == '.')
		for (p++, some = false; *p >= '0' && *p <= '9' && unit > 1; p++, some = true)
			n += (*p - '0') * (unit /= 10);
	if (!some || strcmp(p, "%") != 0 || n > RNG_ALWAYS)
		return fault_spec_refuse(text, "a share such as 5% or 0.25%", e);
	*out = n;
	return 0;
}

static int fault_spec_pick(struct fault_spec *s, const char *text, struct err *e)
{
	int64_t n = 0;
	if (s->picks_n == FAULT_PICKS)
		return err_set(e, ERR_USAGE, 0, "more than %d numbers of datagrams", FAULT_PICKS);
	if (num_int(text + 1, 1, UINT32_MAX, &n, e) != 0)
		return -1;
	s->picks[s->picks_n++] = (uint32_t)n;
	return 0;
}

static int read_share(struct fault_spec *s, const char *text, struct err *e)
{
	return *text == '#' ? fault_spec_pick(s, text, e) : fault_spec_percent(text, &s->a, e);
}

static int read_reorder(struct fault_spec *s, const char *text, struct err *e)
{
	char share[PIECE];
	if (fault_spec_copy(share, text, e) != 0)
		return -1;
	const char *places = fault_spec_cut(share, "/");
	if (places == NULL)
		return fault_spec_refuse(text, "a share and how many datagrams are to pass, such as 5%/3", e);
	return fault_spec_percent(share, &s->a, e) != 0 ? -1 : num_int(places, 1, REORDER_MOST, &s->b, e);
}

/* --- the whole of one --- */

static int read_conn(struct fault_spec *s, const char *text, struct err *e)
{
	char first[PIECE];
	int64_t from = 0, to = UINT32_MAX;
	if (fault_spec_copy(first, text, e) != 0)
		return -1;
	const char *last = fault_spec_cut(first, "-");
	if (num_int(first, 1, UINT32_MAX, &from, e) != 0)
		return -1;
	if (last == NULL)
		to = from;
	else if (*last != '\0' && num_int(last, from, UINT32_MAX, &to, e) != 0)
		return -1;
	if (s->ranges_n == FAULT_RANGES)
		return err_set(e, ERR_USAGE, 0, "more than %d ranges of connections", FAULT_RANGES);
	s->ranges[s->ranges_n].from = (uint32_t)from;
	s->ranges[s->ranges_n++].to = (uint32_t)to;
	return 0;
}

static int read_name(struct fault_spec *s, const char *name, struct err *e)
{
	char known[FAULT_NAMES];
	for (size_t i = 0; i < FAULT_KINDS; i++)
		if (strcmp(rows[i].name, name) == 0) {
			s->kind = (uint8_t)i;
			return 0;
		}
	fault_names(FAULT_AT_LISTENER | FAULT_AT_STREAM | FAULT_AT_DGRAM, known);
	char shown[PIECE];
	text_show(shown, sizeof shown, name, strlen(name));
	return err_set(e, ERR_USAGE, 0, "got \"%s\", expected one of %s", shown, known);
}

static int read_dir(struct fault_spec *s, const char *dir, struct err *e)
{
	if (!rows[s->kind].aimed)
		return err_set(e, ERR_USAGE, 0, "%s has no direction", rows[s->kind].name);
	if (strcmp(dir, "in") != 0 && strcmp(dir, "out") != 0)
		return fault_spec_refuse(dir, "in or out", e);
	s->dirs = strcmp(dir, "in") == 0 ? 1U << FAULT_IN : 1U << FAULT_OUT;
	return 0;
}

/* NAME[=VALUE][:DIR] */
static int read_head(struct fault_spec *s, char *head, struct err *e)
{
	char *dir = fault_spec_cut(head, ":"), *value = fault_spec_cut(head, "=");
	if (read_name(s, head, e) != 0)
		return -1;
	const struct row *row = &rows[s->kind];
	if (row->value == NULL && value != NULL)
		return err_set(e, ERR_USAGE, 0, "%s takes no value", row->name);
	if (row->value != NULL && (value == NULL || *value == '\0'))
		return err_set(e, ERR_USAGE, 0, "expected %s=%s", row->name, row->value);
	if (value != NULL && row->read(s, value, e) != 0)
		return err_prefix(e, "%s", row->name);
	return dir != NULL ? read_dir(s, dir, e) : 0;
}

enum list { LIST_NONE, LIST_PICKS, LIST_CONNS }; /* whose next item a bare word may be */

/* The item after a comma. A direction may follow the last item of a list, too: loss=#2,#5:in. */
static int read_more(struct fault_spec *s, char *word, enum list *list, struct err *e)
{
	static const char expected[] = "conn=LIST or prob=P%";
	const struct row *row = &rows[s->kind];
	bool conn = strncmp(word, "conn=", 5) == 0, prob = strncmp(word, "prob=", 5) == 0;
	if ((conn || prob) && row->general)
		return err_set(
			e, ERR_USAGE, 0, "%s applies to the listening socket as a whole: it takes no %.4s=", row->name, word);
	if (prob) {
		int64_t share = 0;
		*list = LIST_NONE;
		int rc = fault_spec_percent(word + 5, &share, e);
		s->prob = (uint32_t)share;
		return rc;
	}
	if (conn || (*list == LIST_CONNS && *word >= '0' && *word <= '9')) {
		*list = LIST_CONNS;
		return read_conn(s, conn ? word + 5 : word, e);
	}
	if (*list != LIST_PICKS || *word != '#')
		return fault_spec_refuse(word, expected, e);
	const char *dir = fault_spec_cut(word, ":");
	if (fault_spec_pick(s, word, e) != 0)
		return -1;
	return dir != NULL ? read_dir(s, dir, e) : 0;
}

int fault_parse(struct fault_spec *out, const char *text, struct err *e)
{
	enum { WHOLE = 512 };
	char whole[WHOLE], *word = whole;
	struct fault_spec s = { .dirs = 1U << FAULT_IN | 1U << FAULT_OUT, .prob = RNG_ALWAYS };
	if (strlen(text) >= WHOLE)
		return fault_spec_refuse(text, "something shorter", e);
	strcpy(whole, text);
	char *next = fault_spec_cut(word, ",");
	if (read_head(&s, word, e) != 0)
		return -1;
	for (enum list list = s.picks_n > 0 ? LIST_PICKS : LIST_NONE; (word = next) != NULL;) {
		next = fault_spec_cut(word, ",");
		if (read_more(&s, word, &list, e) != 0)
			return -1;
	}
	*out = s;
	return 0;
}

bool fault_concerns(const struct fault_spec *s, uint64_t seed, uint32_t conn)
{
	const struct rng_place place = { .conn = conn, .dir = s->nth, .what = s->kind, .index = UINT64_MAX };
	bool named = s->ranges_n == 0;
	for (unsigned i = 0; i < s->ranges_n; i++)
		named |= conn >= s->ranges[i].from && conn <= s->ranges[i].to;
	return named && rng_hits(rng_at(seed, &place), s->prob);
}
