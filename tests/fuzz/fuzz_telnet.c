/* The telnet layer between a peer that says anything and an owner that writes anything, both at once, in pieces, while writes
 * are held up or fail: the first bytes are the plan, then comes what the peer says, and then what is written.
 *
 * What is read is what a plain reading of the RFC makes of the same bytes in one piece, what is written comes out of that reading
 * as it was, each CR followed by LF or NUL, and between the two stand exactly the refusals that are due, in their order. */
#include "tests/fuzz/fuzz.h"

#include "codec/telnet.h"
#include "tests/sim/sim.h"
#include "tests/unit/double.h"

#include <stdlib.h>
#include <string.h>

enum { IAC = 255, DONT = 254, DO = 253, WONT = 252, WILL = 251, SB = 250, SE = 240 };
enum { PLAN = 8, MANY = 64, RELEASE = 16 };

struct heard { /* what some bytes mean: text, and verbs with their options */
	unsigned char *text, *asks;
	size_t text_n, asks_n;
	bool in_cr, bare_cr; /* the last byte of text is CR / some CR had neither LF nor NUL behind it */
};

static void hear_text(struct heard *h, unsigned char byte)
{
	h->bare_cr |= h->in_cr && byte != '\n' && byte != '\0';
	if (!h->in_cr || byte != '\0')
		h->text[h->text_n++] = byte;
	h->in_cr = byte == '\r';
}

/* Behind the end of a subnegotiation that begins at i. */
static size_t skip_inside(const unsigned char *p, size_t n, size_t i)
{
	for (i += 2; i + 1 < n && (p[i] != IAC || p[i + 1] != SE); i++)
		i += p[i] == IAC;
	return i + 2;
}

static struct heard hear(const unsigned char *p, size_t n)
{
	struct heard h = { .text = malloc(n + 1), .asks = malloc(n + 1) };
	if (h.text == NULL || h.asks == NULL)
		abort();
	for (size_t i = 0; i < n;) {
		if (p[i] != IAC) {
			hear_text(&h, p[i++]);
		} else if (i + 1 < n && p[i + 1] == SB) {
			i = skip_inside(p, n, i);
		} else if (i + 1 < n && p[i + 1] >= WILL && p[i + 1] < IAC) {
			if (i + 2 < n) {
				h.asks[h.asks_n++] = p[i + 1];
				h.asks[h.asks_n++] = p[i + 2];
			}
			i += 3;
		} else {
			if (i + 1 < n && p[i + 1] == IAC)
				hear_text(&h, IAC);
			i += 2;
		}
	}
	return h;
}

static void heard_free(struct heard *h)
{
	free(h->text);
	free(h->asks);
}

struct line { /* both ways of it */
	struct double_stream d;
	struct stream *top;
	const uint8_t *plan;
	unsigned char *text; /* what was read */
	size_t text_n, text_cap;
	const uint8_t *says; /* what is to be written */
	size_t says_n, said;
	bool ended, broken;
};

static void read_some(struct line *l, size_t most)
{
	ssize_t got = stream_read(l->top, l->text + l->text_n, most < l->text_cap - l->text_n ? most : l->text_cap - l->text_n);
	fuzz_check(got != ST_FAIL, "reading failed, and the peer had not");
	l->ended = got == 0;
	l->text_n += got > 0 ? (size_t)got : 0;
}

static void write_some(struct line *l, size_t most)
{
	ssize_t put = stream_write(l->top, l->says + l->said, most < l->says_n - l->said ? most : l->says_n - l->said);
	fuzz_check(put != ST_FAIL || l->d.failed, "writing failed, and the peer had not");
	l->broken |= put == ST_FAIL;
	l->said += put > 0 ? (size_t)put : 0;
}

static void move(struct line *l)
{
	size_t most = (l->plan[0] & 128) ? l->text_cap : 1U + l->plan[1] % 64;
	for (unsigned step = 0; !l->ended || (!l->broken && l->said < l->says_n); step++) {
		uint8_t bits = l->plan[2 + step % (PLAN - 2)];
		l->d.wr.blocked_ms = (bits & 1) && step % RELEASE != RELEASE - 1 ? NEVER : 0;
		if (!l->ended && ((bits & 2) || l->broken || l->said == l->says_n))
			read_some(l, (bits & 4) ? l->text_cap : most);
		else if (!l->broken && l->said < l->says_n)
			write_some(l, (bits & 8) ? l->says_n : most);
	}
	l->d.wr.blocked_ms = 0;
	int rc = l->broken ? ST_FAIL : stream_last(l->top);
	fuzz_check(rc == 0 || l->broken || l->d.failed, "the last bytes did not go out");
	l->broken |= rc != 0;
}

/* asked: what the peer said; told: what it got. */
static void check_told(const struct line *l, const struct heard *asked)
{
	struct heard told = hear(l->d.got, l->d.got_n);
	size_t n = 0;
	fuzz_check(
		told.text_n <= l->says_n && memcmp(told.text, l->says, told.text_n) == 0, "other text went out than was written");
	fuzz_check(!told.bare_cr, "a CR went out with neither LF nor NUL behind it");
	for (size_t i = 0; i < asked->asks_n; i += 2) {
		if (asked->asks[i] != WILL && asked->asks[i] != DO)
			continue;
		if (n == told.asks_n && l->broken)
			break;
		fuzz_check(n < told.asks_n && told.asks[n] == (asked->asks[i] == WILL ? DONT : WONT) &&
				   told.asks[n + 1] == asked->asks[i + 1],
			"what was asked for was not refused");
		n += 2;
	}
	fuzz_check(n == told.asks_n, "more was refused than was asked for");
	fuzz_check(l->broken || (told.text_n == l->says_n && !told.in_cr), "not all that was written went out");
	heard_free(&told);
}

static void talk(const uint8_t *plan, const unsigned char *in, size_t in_n, const uint8_t *says, size_t says_n)
{
	const struct act rd[] = { { .kind = in_n > 0 ? ACT_SAY : ACT_END, .text = (const char *)in, .n = in_n }, END };
	const struct act wr[] = { TAKE(1 + plan[1] / 64U * 3), FAIL(ERR_LOST) };
	struct line l = { .plan = plan, .text = malloc(in_n + 1), .text_cap = in_n + 1, .says = says, .says_n = says_n };
	struct heard asked = hear(in, in_n);
	double_open(&l.d, sim_loop(), 0, rd, (plan[0] & 64) ? wr : NULL);
	l.d.owned = true;
	l.d.most = (plan[0] & 32) ? 0 : 1 + plan[0] % 32;
	l.top = &l.d.s;
	if (l.text == NULL || telnet_push(&l.top) != 0)
		abort();
	move(&l);
	fuzz_check(l.text_n == asked.text_n && memcmp(l.text, asked.text, l.text_n) == 0, "other text was read than was said");
	check_told(&l, &asked);
	fuzz_check(l.d.misused == NULL, l.d.misused);
	stream_close(l.top, CLOSE_PLAIN);
	double_close(&l.d);
	heard_free(&asked);
	free(l.text);
}

static void run(const uint8_t *bytes, size_t n)
{
	if (n < PLAN + 1)
		return;
	const uint8_t *from = bytes + PLAN + 1;
	size_t all = n - PLAN - 1, heard = all * bytes[PLAN] / 255, times = (bytes[0] & 128) ? MANY : 1; /* for a full buffer */
	unsigned char *in = malloc(heard * times + 1);
	if (in == NULL)
		abort();
	for (size_t i = 0; i < times && heard > 0; i++)
		memcpy(in + i * heard, from, heard);
	talk(bytes, in, heard * times, from + heard, all - heard);
	free(in);
}

const struct fuzz fuzz_telnet = { .name = "telnet", .run = run };
