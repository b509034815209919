/* Payload as events: direction, place and length of each piece, and its bytes if a reporter wants them. */
#include "capture/observers.h"

#include "stream/observer.h"

#include <errno.h>
#include <string.h>

struct teller {
	const struct event_sink *events;
	const struct stream *below;
	uint32_t conn;
	uint64_t off[2];
};

static void data_events_tell(struct teller *t, enum observer_dir dir, const unsigned char *bytes, size_t n)
{
	const struct sa *sender = dir == OBSERVER_IN ? stream_sender(t->below) : NULL;
	char from[SA_TEXT];
	event(t->events, EV_DATA, t->conn, EV_TEXT("dir", dir == OBSERVER_IN ? "in" : "out"), EV_NUM("off", t->off[dir]),
		EV_NUM("len", n), bytes != NULL ? EV_BYTES("b64", (const char *)bytes, n) : EV_TEXT("b64", NULL),
		EV_TEXT("from", sender != NULL ? sa_text(sender, from) : NULL));
	t->off[dir] += n;
}

static const struct why *teller_moved(void *self, enum observer_dir dir, const struct iovec *v, size_t len)
{
	struct teller *t = self;
	struct observer_walk w = { .v = v, .left = len };
	unsigned char piece[EVENT_BYTES_MOST];
	const unsigned char *p;
	size_t held = 0, n;
	if (!t->events->bytes || len == 0) {
		data_events_tell(t, dir, NULL, len);
		return NULL;
	}
	while (observer_next(&w, sizeof piece - held, &p, &n)) {
		memcpy(piece + held, p, n);
		held += n;
		if (held < sizeof piece && w.left > 0)
			continue;
		data_events_tell(t, dir, piece, held);
		held = 0;
	}
	return NULL;
}

int data_layer(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	static const struct observer_ops ops = { .name = "data", .moved = teller_moved };
	const struct event_sink *events = link->run->events;
	(void)shared;
	if (events == NULL || !events->data)
		return 0;
	const struct stream *below = *top;
	struct teller *t = observer_push(top, &ops, sizeof *t);
	if (t == NULL)
		return err_set(e, ERR_LOCAL, ENOMEM, "look at the traffic");
	t->events = events;
	t->below = below;
	t->conn = link->conn;
	return 0;
}
