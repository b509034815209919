/* A table by the client's number, and the event (proxied_peer.h). */
#include "server/proxied_peer.h"

#include "base/mem.h"
#include "base/text.h"

#include <stddef.h>
#include <stdio.h>

struct proxy {
	struct table_node node; /* first: a node is its via */
	uint32_t id;
	struct sa sa;
};
_Static_assert(offsetof(struct proxy, node) == 0, "a node is its via");

static bool proxied_peer_same(const struct table_node *node, const void *key)
{
	return ((const struct proxy *)(const void *)node)->id == *(const uint32_t *)key;
}

int proxied_peer_keep(struct table *all, uint32_t id, const struct sa *sa)
{
	struct proxy *v = mem_new(sizeof *v);
	if (v == NULL)
		return -1;
	v->id = id;
	v->sa = *sa;
	if (table_add(all, &v->node, table_hash(all, &id, sizeof id)) == 0)
		return 0;
	mem_free(v);
	return -1;
}

static struct table_node *proxied_peer_node(const struct table *all, uint32_t id)
{
	return table_find(all, table_hash(all, &id, sizeof id), proxied_peer_same, &id);
}

bool proxied_peer_find(const struct table *all, uint32_t id, struct sa *sa)
{
	const struct table_node *node = proxied_peer_node(all, id);
	if (node != NULL)
		*sa = ((const struct proxy *)(const void *)node)->sa;
	return node != NULL;
}

bool proxied_peer_take(struct table *all, uint32_t id, struct sa *sa)
{
	struct table_node *node = proxied_peer_node(all, id);
	if (node == NULL)
		return false;
	*sa = ((const struct proxy *)(const void *)node)->sa;
	table_remove(all, node);
	mem_free(node);
	return true;
}

static void proxied_peer_forget(struct table_node *node, void *arg)
{
	table_remove(arg, node);
	mem_free(node);
}

void proxied_peer_free(struct table *all)
{
	table_each(all, proxied_peer_forget, all);
	table_free(all);
}

enum { TEXT_MOST = 320 };

/* Shown harmlessly; NULL: not said. */
static const char *proxied_peer_show(char out[TEXT_MOST], const struct proxy_text *text)
{
	if (text->n == 0)
		return NULL;
	text_show(out, TEXT_MOST, text->p, text->n);
	return out;
}

/* In the words of the event `tls`. */
static const char *certificate_of(const struct proxy_header *said)
{
	if (!(said->tls & PROXY_TLS))
		return NULL;
	return !(said->tls & PROXY_CERT) ? "none" : said->unverified ? "failed" : "ok";
}

void proxied_peer_tell(const struct event_sink *events, uint32_t id, const struct sa *proxy, const struct proxy_header *said)
{
	char via[SA_TEXT], peer[SA_TEXT], local[SA_TEXT], words[TEXT_MOST + 8] = "";
	char name[TEXT_MOST], alpn[TEXT_MOST], version[TEXT_MOST], cipher[TEXT_MOST], cn[TEXT_MOST];
	if (!event_heard(events, EV_PROXY))
		return;
	const char *authority = proxied_peer_show(name, &said->authority), *tls = proxied_peer_show(version, &said->tls_version);
	if (authority != NULL)
		snprintf(words, sizeof words, " for %s", authority);
	event(events, EV_PROXY, id, EV_TEXT("via", sa_text(proxy, via)), EV_NUM("version", said->version),
		EV_TEXT("peer", said->told ? sa_text(&said->peer, peer) : NULL),
		EV_TEXT("local", said->told ? sa_text(&said->local, local) : NULL), EV_TEXT("authority", authority),
		EV_TEXT("alpn", proxied_peer_show(alpn, &said->alpn)),
		EV_TEXT("tls", tls == NULL && (said->tls & PROXY_TLS) ? "unknown" : tls),
		EV_TEXT("cipher", proxied_peer_show(cipher, &said->cipher)), EV_TEXT("cn", proxied_peer_show(cn, &said->cn)),
		EV_TEXT("verify", certificate_of(said)), EV_TEXT("who", said->told ? peer : "itself"), EV_TEXT("words", words));
}
