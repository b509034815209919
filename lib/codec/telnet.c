/* The telnet layer (telnet.h).
 *
 * WILL is answered with DONT and DO with WONT, each time; WONT and DONT ask for the present state and get no answer, so two ends
 * that refuse each other do not loop. Subnegotiations, which this end never agrees to, and other commands are dropped. None is
 * stored, so any length and any cut is fine.
 *
 * Answers and written bytes wait in one buffer, in order, so that an answer never splits an escape. A read takes no more than the
 * free half of the buffer could answer: a peer that asks on and on and reads no answers is not read. */
#include "codec/telnet.h"

#include "base/mem.h"
#include "stream/buf.h"

enum { IAC = 255, DONT = 254, DO = 253, WONT = 252, WILL = 251, SB = 250, SE = 240 };
enum { ANSWER = 3, HALF = 32 * 1024, READS = 16 };

struct telnet {
	struct stream s;
	struct buf out;
	enum { TEXT, COMMAND, OPTION, INSIDE, INSIDE_IAC } state;
	unsigned char verb; /* of the option byte that comes next */
	bool in_cr, out_cr; /* the last byte of that direction was CR: a NUL after it says that it stands alone */
	bool broken;	    /* nothing more can be written */
	unsigned char bytes[2 * HALF];
};

static const struct opt rows[] = {
	{ .name = "telnet",
		.kind = OPT_FLAG,
		.off = offsetof(struct telnet_conf, wanted),
		.help = "refuse telnet's negotiation and take it out of what is received",
		.man = "For servers that speak telnet: whatever they offer or ask for is refused (WILL with DONT, DO with WONT), and their "
		       "commands are taken out of what is received. What is sent is escaped: a byte 255 is sent twice, a CR that no LF "
		       "follows with a NUL behind it. Most such servers want --crlf, too." },
	{ 0 },
};
const struct opt_group telnet_opts = { .title = "Text", .size = sizeof(struct telnet_conf), .rows = rows, .with = WITH_PAYLOAD };

static struct telnet *telnet_self(struct stream *s)
{
	return (struct telnet *)s;
}

/* The caller has checked that there is room. */
static void telnet_put(struct telnet *t, int byte)
{
	buf_add(&t->out, &(unsigned char){ (unsigned char)byte }, 1, sizeof t->bytes);
}

/* --- reading --- */

static void telnet_answer(struct telnet *t, unsigned char option)
{
	if ((t->verb != WILL && t->verb != DO) || t->broken)
		return;
	telnet_put(t, IAC);
	telnet_put(t, t->verb == WILL ? DONT : WONT);
	telnet_put(t, option);
}

static bool is_text(struct telnet *t, unsigned char byte)
{
	bool lone = t->in_cr && byte == '\0';
	t->in_cr = byte == '\r';
	return !lone;
}

/* Is that byte payload? */
static bool telnet_take(struct telnet *t, unsigned char byte)
{
	switch (t->state) {
	case TEXT:
		if (byte != IAC)
			return is_text(t, byte);
		t->state = COMMAND;
		return false;
	case COMMAND:
		t->state = byte >= WILL && byte < IAC ? OPTION : byte == SB ? INSIDE : TEXT;
		t->verb = byte;
		return byte == IAC && is_text(t, byte);
	case OPTION:
		t->state = TEXT;
		telnet_answer(t, byte);
		return false;
	case INSIDE:
		t->state = byte == IAC ? INSIDE_IAC : INSIDE;
		return false;
	case INSIDE_IAC:
		t->state = byte == SE ? TEXT : INSIDE;
		return false;
	}
	return false;
}

static ssize_t keep_text(struct telnet *t, unsigned char *bytes, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++)
		if (telnet_take(t, bytes[i]))
			bytes[kept++] = bytes[i];
	return (ssize_t)kept;
}

/* Answers are sent also when no payload is written, because the peer may wait for them. */
static int wait_both(struct telnet *t, const struct need *rd)
{
	t->s.rd = *rd;
	if (t->out.len > 0 && !t->broken)
		need_join(&t->s.rd, &t->s.below->wr);
	return ST_AGAIN;
}

/* After a write error, the next write fails; reading continues. */
static void send_answers(struct telnet *t)
{
	t->broken |= buf_send(&t->out, &t->s) == ST_FAIL;
}

static ssize_t telnet_readv(struct stream *s, const struct iovec *v, int n)
{
	static const struct need nothing, at_once = { .in = true, .timed = true };
	struct telnet *t = telnet_self(s);
	while (n > 1 && v->iov_len == 0) {
		v++;
		n--;
	}
	for (int i = 0; i < READS; i++) {
		struct iovec one = *v;
		send_answers(t);
		if (t->out.len > HALF && !t->broken)
			return wait_both(t, &nothing);
		if (one.iov_len > HALF - ANSWER)
			one.iov_len = HALF - ANSWER;
		ssize_t got = stream_readv(s->below, &one, 1);
		if (got == ST_AGAIN)
			return wait_both(t, &s->below->rd);
		if (got <= 0)
			return stream_up_rd(s, got);
		if ((got = keep_text(t, one.iov_base, (size_t)got)) > 0) {
			send_answers(t);
			return got;
		}
	}
	return wait_both(t, &at_once); /* only commands: other sessions get a turn */
}

/* --- writing --- */

static ssize_t telnet_writev(struct stream *s, const struct iovec *v, int n)
{
	struct telnet *t = telnet_self(s);
	ssize_t accepted = 0;
	int rc = buf_send(&t->out, s);
	if (rc != 0)
		return rc;
	for (int i = 0; i < n; i++) {
		const unsigned char *bytes = v[i].iov_base;
		for (size_t k = 0; k < v[i].iov_len && t->out.len < HALF - ANSWER; k++, accepted++) {
			if (t->out_cr && bytes[k] != '\n')
				telnet_put(t, '\0');
			telnet_put(t, bytes[k]);
			if (bytes[k] == IAC)
				telnet_put(t, IAC);
			t->out_cr = bytes[k] == '\r';
		}
	}
	rc = buf_send(&t->out, s);
	return rc == ST_FAIL ? rc : accepted;
}

static int telnet_flush(struct stream *s)
{
	return buf_flush(&telnet_self(s)->out, s);
}

static int telnet_last(struct stream *s)
{
	struct telnet *t = telnet_self(s);
	int rc = buf_send(&t->out, s);
	if (rc != 0)
		return rc;
	if (t->out_cr)
		telnet_put(t, '\0');
	t->out_cr = false;
	return telnet_flush(s);
}

static int telnet_shut(struct stream *s)
{
	int rc = telnet_last(s);
	if (rc != 0)
		return rc;
	rc = stream_pass(s, stream_shut);
	telnet_self(s)->broken |= rc == 0;
	return rc;
}

static void telnet_close(struct stream *s, enum close_how how)
{
	stream_close(s->below, how);
	mem_free(s);
}

static const struct stream_ops ops = {
	.name = "telnet",
	.readv = telnet_readv,
	.writev = telnet_writev,
	.flush = telnet_flush,
	.last = telnet_last,
	.shut = telnet_shut,
	.close = telnet_close,
};

int telnet_push(struct stream **top)
{
	struct telnet *t = mem_new(sizeof *t);
	if (t == NULL)
		return -1;
	t->out = (struct buf){ .mem = t->bytes, .cap = sizeof t->bytes, .fixed = true };
	stream_push(&t->s, &ops, *top);
	*top = &t->s;
	return 0;
}
