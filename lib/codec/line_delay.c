/* Lines with a pause after each (line_delay.h), for peers that cannot take a script at once, or to see what each line does.
 *
 * A block is read and handed up line by line; a line longer than the block comes in pieces without a pause. While a line has to
 * wait, a read returns AGAIN with a time. The end follows the last line at once. */
#include "codec/line_delay.h"

#include "base/mem.h"
#include "loop/loop.h"
#include "stream/iov.h"

#include <errno.h>
#include <string.h>

enum { BLOCK_BYTES = 8192 };

struct line_delay {
	struct stream s;
	const struct loop *loop;
	int64_t pause_ms, next_ms; /* when the next line may come */
	size_t at, len;
	unsigned char block[BLOCK_BYTES];
};

static size_t line_delay_take(struct line_delay *p, const struct iovec *v, int n)
{
	const unsigned char *from = p->block + p->at, *lf = memchr(from, '\n', p->len);
	size_t most = lf == NULL ? p->len : (size_t)(lf - from) + 1;
	size_t taken = iov_scatter(v, n, 0, from, most);
	p->at += taken;
	p->len -= taken;
	if (lf != NULL && taken == most)
		p->next_ms = loop_now(p->loop) + p->pause_ms;
	return taken;
}

static ssize_t line_delay_readv(struct stream *s, const struct iovec *v, int n)
{
	struct line_delay *p = (struct line_delay *)s;
	if (p->len == 0) {
		ssize_t got = stream_read(s->below, p->block, sizeof p->block);
		if (got <= 0)
			return stream_up_rd(s, got);
		p->at = 0;
		p->len = (size_t)got;
	}
	if (loop_now(p->loop) < p->next_ms)
		return stream_again_rd(s, &(struct need){ .timed = true, .at_ms = p->next_ms });
	return (ssize_t)line_delay_take(p, v, n);
}

static int line_delay_rawfd(struct stream *s, bool write)
{
	return write ? stream_rawfd(s->below, true) : -1;
}

static void line_delay_close(struct stream *s, enum close_how how)
{
	stream_close(s->below, how);
	mem_free(s);
}

static const struct stream_ops line_delay_ops = {
	.name = "pace",
	.readv = line_delay_readv,
	.writev = stream_pass_writev,
	.close = line_delay_close,
	.rawfd = line_delay_rawfd,
};

int line_delay_push(struct stream **top, const struct loop *loop, int64_t pause_ms)
{
	struct line_delay *p = mem_new(sizeof *p);
	if (p == NULL)
		return -1;
	p->loop = loop;
	p->pause_ms = pause_ms;
	stream_push(&p->s, &line_delay_ops, *top);
	*top = &p->s;
	return 0;
}
