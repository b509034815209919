/* The layer that reads a PROXY header before any other layer reads from the connection (proxy_accept.h). After that it only
 * passes bytes, and remembers the header. */
#include "proxy/proxy_accept.h"

#include "base/mem.h"
#include "stream/buf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int read_versions(void *block, const char *text, struct err *e)
{
	static const struct {
		const char *word;
		unsigned versions;
	} all[] = { { "v1", PROXY_V1 }, { "v2", PROXY_V2 }, { "any", PROXY_V1 | PROXY_V2 } };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (strcmp(text, all[i].word) == 0) {
			((struct proxy_accept_conf *)block)->versions = all[i].versions;
			return 0;
		}
	return err_set(e, ERR_USAGE, 0, "expected v1, v2 or any");
}

static int proxy_accept_check(void *block, struct err *e)
{
	const struct proxy_accept_conf *conf = block;
	if (conf->from.n > 0 && conf->versions == 0)
		return err_set(e, ERR_USAGE, 0, "--proxy-from requires --proxy-in");
	return 0;
}

static const struct opt rows[] = {
	{ .name = "proxy-in",
		.kind = OPT_HOOK,
		.arg = "v1|v2|any",
		.hook = read_versions,
		.help = "clients come through a proxy that announces them (PROXY protocol)",
		.man = "Each connection must begin with a PROXY header of that version, which names the client of the proxy. "
		       "That client is the peer in labels and events, for programs, and for --allow and --deny; --max, "
		       "--max-per-ip and --conn-rate are about the connection itself. A connection that sends no header, a cut "
		       "or wrong one, or none within 10 s is refused (reason proxy). See BEHIND A PROXY." },
	{ .name = "proxy-from",
		.kind = OPT_LIST,
		.off = offsetof(struct proxy_accept_conf, from),
		.arg = "CIDR|NAME|@FILE|unix",
		.help = "the proxies whose headers --proxy-in accepts",
		.man = "The proxies whose headers --proxy-in accepts, written as for --allow, or unix for any peer of our Unix "
		       "socket. Any other connection is closed without a byte. Without it: loopback addresses and Unix "
		       "sockets." },
	{ 0 },
};
const struct opt_group proxy_accept_opts = {
	.title = "Behind a proxy", .size = sizeof(struct proxy_accept_conf), .rows = rows, .check = proxy_accept_check
};

enum { FIRST_BYTES = 128 };

struct header_in {
	struct stream s;
	unsigned versions;
	bool done;
	struct buf in; /* of the header, so far */
	struct proxy_header said;
	char words[80];
};

static struct header_in *proxy_accept_self(struct stream *s)
{
	return (struct header_in *)s;
}

static int proxy_accept_refuse(struct header_in *h, enum err_class cls, int sys, const char *why)
{
	snprintf(h->words, sizeof h->words, "its PROXY header %s", why);
	return stream_fail(&h->s, cls, 0, sys, h->words);
}

static int header_in_setup(struct stream *s)
{
	struct header_in *h = proxy_accept_self(s);
	const char *why = NULL;
	while (!h->done) {
		int needs = proxy_header_read(h->in.mem, h->in.len, h->versions, &h->said, &why);
		if (needs < 0)
			return proxy_accept_refuse(h, ERR_NETWORK, 0, why);
		if (needs == 0) {
			h->done = true;
			break;
		}
		if (buf_room(&h->in, (size_t)needs, FIRST_BYTES) != 0)
			return proxy_accept_refuse(h, ERR_LOCAL, ENOMEM, "could not be read");
		ssize_t got = stream_read(s->below, h->in.mem + h->in.len, (size_t)needs);
		if (got == ST_AGAIN)
			return stream_again_rd(s, &s->below->rd);
		if (got <= 0)
			return proxy_accept_refuse(
				h, ERR_LOST, got == ST_FAIL ? s->below->why.sys : 0, h->in.len > 0 ? "was cut" : "never came");
		h->in.len += (size_t)got;
	}
	return 0;
}

static void header_in_close(struct stream *s, enum close_how how)
{
	stream_close(s->below, how);
	buf_free(&proxy_accept_self(s)->in);
	mem_free(s);
}

static bool header_in_holds(const struct stream *s)
{
	const struct header_in *h = (const struct header_in *)s;
	return !h->done && h->in.len > 0;
}

static const struct stream_ops ops = {
	.name = "proxy-in",
	.setup = header_in_setup,
	.readv = stream_pass_readv,
	.writev = stream_pass_writev,
	.rawfd = stream_pass_rawfd,
	.holds = header_in_holds,
	.close = header_in_close,
};

int proxy_accept_start(const struct run *run, void **shared, struct err *e)
{
	const struct proxy_accept_conf *conf = conf_get(run->conf, &proxy_accept_opts);
	if (conf == NULL || conf->versions == 0 || run->layers->role != ROLE_ACCEPT)
		return 0;
	if (addr_dgram(run->layers->addr))
		return err_set(e, ERR_USAGE, 0, "--proxy-in: a PROXY header begins a stream, and %s has datagrams",
			run->layers->addr->text);
	*shared = (void *)(uintptr_t)conf;
	return 0;
}

int proxy_accept_push(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	const struct proxy_accept_conf *conf = shared;
	(void)link;
	if (conf == NULL)
		return 0;
	if ((*top)->caps & ST_DGRAM) /* an inherited socket */
		return err_set(e, ERR_USAGE, 0, "a PROXY header begins a stream, and this is a datagram socket");
	struct header_in *h = mem_new(sizeof *h);
	if (h == NULL)
		return err_set(e, ERR_LOCAL, ENOMEM, "take a PROXY header");
	h->versions = conf->versions;
	stream_push(&h->s, &ops, *top);
	*top = &h->s;
	return 0;
}

static const struct header_in *proxy_accept_find(const struct stream *s)
{
	while (s != NULL && s->ops != &ops)
		s = s->below;
	return (const struct header_in *)(const void *)s;
}

const struct proxy_header *proxy_accept_said(const struct stream *top)
{
	const struct header_in *h = proxy_accept_find(top);
	return h != NULL && h->done ? &h->said : NULL;
}

void proxy_accept_forget(struct stream *top)
{
	struct header_in *h = (struct header_in *)(uintptr_t)proxy_accept_find(top);
	if (h == NULL || !h->done)
		return;
	static const struct proxy_text none;
	h->said.authority = h->said.alpn = h->said.tls_version = h->said.cipher = h->said.cn = none;
	buf_free(&h->in);
}

bool proxy_accept_waits(const struct stream *top)
{
	const struct header_in *h = proxy_accept_find(top);
	return h != NULL && !h->done;
}
