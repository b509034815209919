/* The layer that sends a PROXY header (proxy_announce.h) in its setup, under TLS and after the exchange with a SOCKS or HTTP
 * proxy; then it only passes bytes. It announces the client for whom the connection was dialed, or the connection itself. */
#include "proxy/proxy_announce.h"

#include "base/mem.h"
#include "stream/buf.h"
#include "proxy/proxy.h"
#include "proxy/proxy_header.h"

#include <errno.h>
#include <string.h>

static int read_version(void *block, const char *text, struct err *e)
{
	bool one = strcmp(text, "v1") == 0;
	if (!one && strcmp(text, "v2") != 0)
		return err_set(e, ERR_USAGE, 0, "expected v1 or v2");
	((struct proxy_announce_conf *)block)->version = one ? PROXY_V1 : PROXY_V2;
	return 0;
}

static const struct opt rows[] = {
	{ .name = "proxy-out",
		.kind = OPT_HOOK,
		.arg = "v1|v2",
		.hook = read_version,
		.help = "begin with a PROXY header that names the client",
		.man = "Begins the connection with a PROXY header of that version, before TLS and all else. With --forward in listen and "
		       "serve it goes to ADDRESS of --forward and names the client, in connect it names the connection's own two ends. See "
		       "BEHIND A PROXY." },
	{ 0 },
};
const struct opt_group proxy_announce_opts = {
	.title = "Proxies", .size = sizeof(struct proxy_announce_conf), .rows = rows, .with = WITH_DIAL
};

struct header_out {
	struct stream s;
	struct buf out;
	unsigned char bytes[PROXY_HEADER_SENDS];
};

static int header_out_setup(struct stream *s)
{
	struct header_out *h = (struct header_out *)s;
	int rc = buf_send(&h->out, s);
	return rc == ST_AGAIN ? stream_again_rd(s, &s->wr) : rc;
}

static void header_out_close(struct stream *s, enum close_how how)
{
	stream_close(s->below, how);
	mem_free(s);
}

static const struct stream_ops ops = {
	.name = "proxy-out",
	.setup = header_out_setup,
	.readv = stream_pass_readv,
	.writev = stream_pass_writev,
	.rawfd = stream_pass_rawfd,
	.close = header_out_close,
};

int proxy_announce_start(const struct run *run, void **shared, struct err *e)
{
	const struct proxy_announce_conf *conf = conf_get(run->conf, &proxy_announce_opts);
	if (conf == NULL || conf->version == 0 || run->layers->role != ROLE_DIAL)
		return 0;
	if (addr_dgram(run->layers->addr))
		return err_set(e, ERR_USAGE, 0, "--proxy-out: a PROXY header begins a stream, and %s has datagrams",
			run->layers->addr->text);
	*shared = (void *)(uintptr_t)conf;
	return 0;
}

/* Through a proxy the other end of our connection is not the reader of this header. */
static void announce_announce(struct proxy_header *h, const struct link *link)
{
	bool through = proxy_of(link->run) != NULL, known = link->target != NULL && link->target->family != 0;
	const struct behalf *client = link->client;
	if (client != NULL) {
		h->peer = client->peer;
		h->local = client->local;
		h->dgram = client->dgram;
	} else if (!through || known) {
		h->peer = *link->local;
		h->local = through ? *link->target : *link->peer;
		if (through)
			sa_set_port(&h->local, link->run->layers->addr->port);
	}
	h->told = h->peer.family != 0;
}

int proxy_announce_push(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	const struct proxy_announce_conf *conf = shared;
	if (conf == NULL)
		return 0;
	if ((*top)->caps & ST_DGRAM) /* an inherited socket */
		return err_set(e, ERR_USAGE, 0, "a PROXY header begins a stream, and this is a datagram socket");
	struct header_out *out = mem_new(sizeof *out);
	if (out == NULL)
		return err_set(e, ERR_LOCAL, ENOMEM, "send a PROXY header");
	struct proxy_header h = { .version = conf->version };
	announce_announce(&h, link);
	out->out = (struct buf){ .fixed = true, .mem = out->bytes, .len = proxy_header_write(out->bytes, &h) };
	stream_push(&out->s, &ops, *top);
	*top = &out->s;
	return 0;
}
