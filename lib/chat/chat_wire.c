/* The other wires of the chat.
 *
 * vbnet is the protocol of the classic .NET chat tutorial with its bugs fixed: on every join and leave each client gets the whole
 * roster in one write, and a message, which is one received chunk whatever its newlines, goes to all, its sender too. raw relays
 * bytes to all others. Neither has names, notices or an operator. */
#include "chat/chat.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct why no_memory = { ERR_LOCAL, OF_PEER, ENOMEM, "relay what came from" };

static struct chat *chat_of(const struct member *m)
{
	return m->broadcast->service_run->mem;
}

size_t vbnet_entry(char out[VBNET_ENTRY], uint32_t id)
{
	return (size_t)snprintf(out, VBNET_ENTRY, "U.[ID] - %lu\r\n", (unsigned long)id);
}

size_t vbnet_message(char *out, uint32_t id, const char *bytes, size_t n)
{
	if (n > 0 && bytes[n - 1] == '\n')
		n--;
	if (n > 0 && bytes[n - 1] == '\r')
		n--;
	size_t head = (size_t)snprintf(out, VBNET_AROUND, "\r\n%lu  DICE :", (unsigned long)id);
	if (n > 0)
		memcpy(out + head, bytes, n);
	memcpy(out + head + n, "\r\n", 2);
	return head + n + 2;
}

static void send_roster(struct chat *c)
{
	struct msg *msg = msg_new(NULL, (size_t)c->broadcast.count * VBNET_ENTRY);
	size_t n = 0;
	if (msg == NULL)
		return; /* the next join or leave sends it */
	for (const struct member *m = c->broadcast.first; m != NULL; m = m->next) {
		char entry[VBNET_ENTRY];
		size_t len = m->departed ? 0 : vbnet_entry(entry, m->session->id);
		memcpy(msg->bytes + n, entry, len);
		n += len;
	}
	msg = msg_shorten(msg, n);
	broadcast_say(&c->broadcast, msg, NULL);
	msg_drop(msg);
}

static void vbnet_came(struct chat *c, struct chat_member *g)
{
	(void)g;
	send_roster(c);
}

static void vbnet_left(struct member *m)
{
	if (!m->broadcast->service_run->draining)
		send_roster(chat_of(m));
}

static void vbnet_said(struct member *m, const char *bytes, size_t n, bool cut)
{
	struct msg *msg = msg_new(NULL, n + VBNET_AROUND);
	(void)cut;
	if (msg == NULL) {
		session_end(m->session, END_ERROR, CLOSE_PLAIN, &no_memory);
		return;
	}
	msg = msg_shorten(msg, vbnet_message((char *)msg->bytes, m->session->id, bytes, n));
	broadcast_say(m->broadcast, msg, NULL);
	msg_drop(msg);
}

static void raw_said(struct member *m, const char *bytes, size_t n, bool cut)
{
	struct msg *msg = msg_new(bytes, n);
	(void)cut;
	if (msg == NULL) {
		session_end(m->session, END_ERROR, CLOSE_PLAIN, &no_memory);
		return;
	}
	broadcast_say(m->broadcast, msg, m);
	msg_drop(msg);
}

const struct chat_wire chat_vbnet = {
	.ops = { .said = vbnet_said, .left = vbnet_left, .raw = true },
	.came = vbnet_came,
};

const struct chat_wire chat_raw = {
	.ops = { .said = raw_said, .raw = true },
};
