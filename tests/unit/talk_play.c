#include "tests/unit/talk_play.h"

#include "loop/loop.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { IN_MOST = 1024 }; /* bytes in `in` */

struct peer {
	const char *in, *end;
	int64_t at_ms; /* when the rest of `in` is there */
};

uint32_t play_dice(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static void put(struct play *p, const void *bytes, size_t n)
{
	size_t room = PLAY_TRACE - 1 - p->used;
	n = n < room ? n : room;
	memcpy(p->trace + p->used, bytes, n);
	p->used += n;
}

static __attribute__((format(printf, 2, 3))) void tell(struct play *p, const char *fmt, ...)
{
	char words[1024];
	va_list ap;
	if (p->sent)
		return;
	va_start(ap, fmt);
	int n = vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	put(p, words, (size_t)n < sizeof words ? (size_t)n : sizeof words - 1);
}

static size_t at_most(const struct play *p, size_t n)
{
	size_t most = p->cut == 0 ? n : p->dice != NULL ? play_dice(p->dice) % p->cut + 1 : p->cut;
	return n < most ? n : most;
}

static bool is_mark(char c)
{
	return c == LATER[0] || c == PEER_END[0];
}

/* What is there now goes in. False: nothing is. */
static bool feed(struct play *p, struct talk_engine *e, struct peer *peer, int64_t its_ms, int64_t now_ms)
{
	while (peer->in < peer->end && peer->at_ms <= now_ms && *peer->in == LATER[0]) {
		peer->at_ms += PLAY_LATER_MS;
		peer->in++;
		if (p->dgram) /* ends a datagram, and no time passes */
			peer->at_ms -= PLAY_LATER_MS;
	}
	if (peer->in == peer->end || peer->at_ms > now_ms)
		return false;
	if (*peer->in == PEER_END[0]) {
		peer->in = peer->end;
		talk_engine_eof(e);
		return true;
	}
	size_t n = 0;
	while (peer->in + n < peer->end && !is_mark(peer->in[n]))
		n++;
	n = p->dgram ? n : at_most(p, n);
	talk_engine_bytes(e, peer->in, n, its_ms);
	peer->in += n;
	return true;
}

static void take(struct play *p, struct talk_engine *e)
{
	static unsigned char piece[TALK_DATAGRAM_MOST];
	size_t n = p->dgram ? sizeof piece : at_most(p, sizeof piece);
	n = talk_engine_copy(e, piece, n);
	if (p->dgram)
		tell(p, "{");
	put(p, piece, n);
	if (p->dgram)
		tell(p, "}");
	talk_engine_sent(e, n);
}

/* As if what came for TLS were in it. */
static void secure(struct play *p, const struct talk_engine *e, struct peer *peer)
{
	tell(p, "[starttls]");
	for (size_t n = talk_engine_unread(e).n; n > 0; peer->in--) {
		bool later = peer->in[-1] == LATER[0];
		peer->at_ms -= later ? PLAY_LATER_MS : 0;
		n -= later ? 0 : 1;
	}
}

/* While an act finds no room. An end before the handshake would be the end of that. */
static void feed_ahead(struct play *p, struct talk_engine *e, struct peer *peer, int64_t its_ms, int64_t now_ms)
{
	bool ends = peer->in < peer->end && *peer->in == PEER_END[0] && talk_has(p->script, TALK_STARTTLS);
	if (p->ahead != NULL && !ends && !e->eof && play_dice(p->ahead) % 2 == 0 && talk_engine_room(e, IN_MOST) == IN_MOST)
		feed(p, e, peer, its_ms, now_ms);
}

static bool can_block(const struct talk_act *a)
{
	return a->what == DO_SEND || a->what == DO_SHUT || a->what == DO_FAULT || a->what == DO_STARTTLS;
}

static void perform(struct play *p, struct talk_engine *e, struct peer *peer, const struct talk_act *a)
{
	char words[TALK_WORDS];
	if (a->what == DO_LOG)
		tell(p, "[log %.*s]", (int)talk_engine_text(e, words, sizeof words), words);
	else if (a->what == DO_MATCH && p->rules)
		tell(p, "[rule %u at %llu]", a->place->line, (unsigned long long)a->off);
	else if (a->what == DO_UNMATCHED && p->rules)
		tell(p, "[none at %llu: %lu]", (unsigned long long)a->off, (unsigned long)a->got.n);
	else if (a->what == DO_SHUT)
		tell(p, "[shut]");
	else if (a->what == DO_FAULT)
		tell(p, "[fault %s]", fault_name(a->step->fault));
	else if (a->what == DO_STARTTLS)
		secure(p, e, peer);
	talk_engine_done(e);
}

static void tell_failure(struct play *p, const struct talk_engine *e, const struct talk_act *a)
{
	char words[TALK_WORDS];
	tell(p, "[fail %s @%llu]", talk_engine_words(e, a, words), (unsigned long long)a->off);
}

/* Nothing will ever happen again. */
static void stuck(struct play *p, struct talk_engine *e)
{
	const struct talk_act *fail = talk_engine_end(e, true);
	tell(p, "[stuck]");
	if (fail != NULL)
		tell_failure(p, e, fail);
}

static bool last(struct play *p, struct talk_engine *e, const struct talk_act *a)
{
	if (a->what < DO_HANG)
		return false;
	if (a->what == DO_FAIL)
		tell_failure(p, e, a);
	else
		tell(p, a->what == DO_HANG ? "[hang]" : a->what == DO_RST ? "[rst]" : "[close]");
	return true;
}

void play(struct play *p, const char *in, size_t n)
{
	struct talk_engine e;
	struct peer peer = { in, in + n, 0 };
	int64_t now_ms = 0, told_ms = 0,
		its_ms = 0; /* the engine's time stops short of a deadline while there is something to read */
	unsigned acts = 0;
	bool late = false;
	p->used = p->in_most = 0;
	p->stopped = false;
	if (talk_engine_open(&e, talk_section(p->script, p->conn != 0 ? p->conn : 1), p->dgram, 0) != 0)
		return;
	for (;;) {
		const struct talk_act *a = talk_engine_next(&e, its_ms);
		if (e.in_cap + e.kept_cap > p->in_most)
			p->in_most = e.in_cap + e.kept_cap;
		if (a->what == DO_WAIT) {
			int64_t most_ms = !late && a->at_ms > its_ms ? a->at_ms - 1 : its_ms;
			late = now_ms > most_ms;
			its_ms = late ? most_ms : now_ms;
			if (a->input && feed(p, &e, &peer, its_ms, now_ms))
				continue;
			its_ms = now_ms;
			if (late) {
				late = false;
				continue;
			}
			bool speaks = a->input && peer.in < peer.end;
			int64_t at_ms = speaks && peer.at_ms < a->at_ms ? peer.at_ms : a->at_ms;
			if (at_ms == NEVER) {
				stuck(p, &e);
				break;
			}
			now_ms = at_ms > now_ms ? at_ms : now_ms;
			its_ms = a->input ? its_ms : now_ms;
			continue;
		}
		if (now_ms != told_ms)
			tell(p, "[%lldms]", (long long)now_ms);
		told_ms = now_ms;
		p->stopped = p->acts_most > 0 && a->what != DO_SEND && ++acts > p->acts_most;
		if (last(p, &e, a) || p->stopped)
			break;
		if (can_block(a))
			feed_ahead(p, &e, &peer, its_ms, now_ms);
		if (a->what == DO_SEND)
			take(p, &e);
		else
			perform(p, &e, &peer, a);
	}
	p->trace[p->used] = '\0';
	talk_engine_close(&e);
}
