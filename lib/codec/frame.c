/* The frame layer as a whole: its option, its memory, its beginning and end. */
#include "codec/frame_internal.h"

#include "base/mem.h"

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
const struct opt_group frame_opts = { .title = "Frames", .size = sizeof(struct frame_conf), .rows = rows, .with = WITH_PAYLOAD };

static void frame_close(struct stream *s, enum close_how how)
{
	struct frame *f = (struct frame *)s;
	stream_close(s->below, how);
	buf_free(&f->in);
	buf_free(&f->line);
	buf_free(&f->out);
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
		.quota = frame_quota,
		.close = frame_close,
	};
	struct frame *f = mem_new(sizeof *f);
	if (f == NULL)
		return -1;
	f->in.budget = f->line.budget = f->out.budget = budget;
	f->framer = framer;
	f->whole = whole;
	f->quota = UINT64_MAX;
	stream_push(&f->s, &ops, *top);
	*top = &f->s;
	return 0;
}
