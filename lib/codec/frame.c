/* The frame layer as a whole: its option, its memory, its beginning and end. */
#include "codec/frame_internal.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>

enum { FIRST_BYTES = 4096 };

static int frame_hook(void *block, const char *text, struct err *e)
{
	struct frame_conf *conf = block;
	if (framer_parse(&conf->framer, text, e) != 0)
		return -1;
	conf->wanted = conf->framer.kind != FRAME_RAW;
	return 0;
}

static const struct opt rows[] = {
	{ .name = "frame",
		.kind = OPT_HOOK,
		.off = offsetof(struct frame_conf, framer),
		.arg = "SPEC",
		.hook = frame_hook,
		.help = "lines here are frames there: u32le, netstring, ...",
		.man = "What the peer sends and is sent is cut into frames: each line of ours goes out as one frame, and each "
		       "frame that comes is a line here. SPEC is line, crlf, nul, netstring, fixed=N, u8, u16be, u16le, u32be, "
		       "u32le or raw (no frames), and behind it perhaps ,max=SIZE (1M) and ,incl; see FRAMES." },
	{ 0 },
};
const struct opt_group frame_opts = { .title = "Frames", .size = sizeof(struct frame_conf), .rows = rows };

int bytes_room(struct bytes *b, size_t more, size_t most)
{
	if (b->at > 0 && b->at + b->len + more > b->cap) {
		memmove(b->mem, b->mem + b->at, b->len);
		b->at = 0;
	}
	if (b->at + b->len + more <= b->cap)
		return 0;
	size_t need = b->len + more, cap = b->cap * 2 > FIRST_BYTES ? b->cap * 2 : FIRST_BYTES;
	if (cap > most)
		cap = most;
	if (cap < need)
		cap = need;
	size_t left = budget_left(b->budget, b->cap);
	if (cap - b->cap > left) /* then it does not double */
		cap = b->cap + left > need ? b->cap + left : need;
	errno = ENOBUFS;
	if (!budget_take(b->budget, b->cap, cap - b->cap))
		return -1;
	unsigned char *mem = mem_grow(b->mem, cap);
	if (mem == NULL) {
		budget_give(b->budget, cap - b->cap);
		errno = ENOMEM;
		return -1;
	}
	b->mem = mem;
	b->cap = cap;
	return 0;
}

void bytes_drop(struct bytes *b, size_t n)
{
	b->len -= n;
	b->at = b->len > 0 ? b->at + n : 0;
}

void bytes_fit(struct bytes *b)
{
	if (b->len == 0) {
		mem_free(b->mem);
		budget_give(b->budget, b->cap);
		*b = (struct bytes){ .budget = b->budget };
		return;
	}
	if (b->at > 0)
		memmove(b->mem, b->mem + b->at, b->len);
	b->at = 0;
	unsigned char *less = b->cap > b->len ? mem_grow(b->mem, b->len) : NULL;
	if (less == NULL)
		return;
	budget_give(b->budget, b->cap - b->len);
	b->mem = less;
	b->cap = b->len;
}

static void free_bytes(struct bytes *b)
{
	b->len = 0;
	bytes_fit(b);
}

static void frame_close(struct stream *s, enum close_how how)
{
	struct frame *f = (struct frame *)s;
	stream_close(s->below, how);
	free_bytes(&f->in);
	free_bytes(&f->line);
	free_bytes(&f->out);
	mem_free(f);
}

int frame_push(struct stream **top, const struct framer *framer, struct budget *budget, bool whole)
{
	static const struct stream_ops ops = {
		.name = "frame",
		.readv = frame_readv,
		.writev = frame_writev,
		.flush = frame_flush,
		.last = frame_last,
		.shut = frame_shut,
		.holds = frame_holds,
		.close = frame_close,
	};
	struct frame *f = mem_new(sizeof *f);
	if (f == NULL)
		return -1;
	f->in.budget = f->line.budget = f->out.budget = budget;
	f->framer = framer;
	f->whole = whole;
	stream_push(&f->s, &ops, *top);
	*top = &f->s;
	return 0;
}
