/* A layer that passes everything through and reports the socket's losses. */
#include "udp/udp_dial.h"

#include "base/mem.h"
#include "net/sockopt.h"
#include "udp/udp_loss.h"

struct dialed {
	struct stream s;
	struct udp_loss loss;
};

static ssize_t dialed_readv(struct stream *s, const struct iovec *v, int n)
{
	ssize_t got = stream_pass_readv(s, v, n);
	if (got != ST_AGAIN && got != ST_FAIL)
		udp_loss_stir(&((struct dialed *)s)->loss);
	return got;
}

static int dialed_recvm(struct stream *s, struct msgs *m)
{
	int got = (int)stream_up_rd(s, stream_recvm(s->below, m));
	if (got >= 0)
		udp_loss_stir(&((struct dialed *)s)->loss);
	return got;
}

static int dialed_sendm(struct stream *s, const struct msgs *m)
{
	return (int)stream_up_wr(s, stream_sendm(s->below, m));
}

static void dialed_close(struct stream *s, enum close_how how)
{
	udp_loss_close(&((struct dialed *)s)->loss);
	stream_close(s->below, how);
	mem_free(s);
}

static const struct stream_ops dialed_ops = {
	.name = "udp",
	.readv = dialed_readv,
	.writev = stream_pass_writev,
	.recvm = dialed_recvm,
	.sendm = dialed_sendm,
	.close = dialed_close,
};

int udp_dial_push(struct stream **top, const struct run *run)
{
	if ((*top)->ops->recvm == NULL) /* an inherited socket of an unknown kind */
		return 0;
	struct dialed *d = mem_new(sizeof *d);
	if (d == NULL)
		return -1;
	stream_push(&d->s, &dialed_ops, *top);
	udp_loss_open(&d->loss, run, d->s.rfd, AF_INET);
	if (!sockopt_has(run->conf, SOL_SOCKET, SO_RCVBUF))
		udp_loss_buffer(d->s.rfd);
	*top = &d->s;
	return 0;
}
