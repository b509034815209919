/* The rows of events.def as a table, and the one function that emits events. */
#include "base/event.h"

const struct ev_row ev_rows[EV_KINDS] = {
#define EVENT(id, name, level, fields, sentence) { name, level, fields, sentence },
#include "base/events.def"
#undef EVENT
};

void event_send(const struct event_sink *sink, enum ev_kind kind, uint32_t conn, const struct ev_field *fields)
{
	struct event ev = { .kind = kind, .conn = conn, .fields = fields };
	sink->emit(sink->arg, &ev);
}
