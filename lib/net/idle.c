/* What a run is, and the sentence about an option that needs another one (idle.h). */
#include "net/idle.h"

#include "codec/frame.h"
#include "net/service.h"

static unsigned transport_of(const struct addr *a)
{
	return a->kind == ADDR_FD ? WITH_STREAM | WITH_DGRAM : addr_dgram(a) ? WITH_DGRAM : WITH_STREAM;
}

static unsigned facts_of(const struct run *run, const struct addr *a, const struct service *service)
{
	const struct frame_conf *frame = conf_get(run->conf, &frame_opts);
	const struct addr *target = service->dials != NULL ? service->dials(run->conf) : NULL;
	unsigned facts = service->is | WITH_SENDING | WITH_SHOWING;
	if (service->lacks != NULL)
		facts &= ~service->lacks(run->conf);
	if (a->kind == ADDR_FD)
		return facts | WITH_TRANSPORT | WITH_FAMILY;
	facts |= transport_of(a) | (target != NULL ? transport_of(target) : 0U);
	facts |= frame->wanted && !addr_dgram(a) ? WITH_FRAMES : 0U;
	if (!addr_local(a))
		return facts | WITH_INET;
	return a->path_len > 0 && a->path[0] != '\0' ? facts | WITH_UNIX : facts;
}

static const char *fact_name(unsigned fact)
{
	const struct opt_fact *row = opt_facts;
	while (row->name != NULL && row->fact != fact)
		row++;
	return row->name;
}

/* A service that an option requests has the name of that option. */
static int idle_service(const struct opt *row, const struct service *service, unsigned wants, struct err *e)
{
	const char *only = fact_name(wants);
	bool own = wants & (WITH_STDIO | WITH_CONSOLE | WITH_ECHO | WITH_CHAT);
	if (only != NULL && !own && (service->is & WITH_PROBE) == 0)
		return err_set(e, ERR_USAGE, 0, "--%s requires --%s", row->name, only);
	if (service->wanted != NULL || (service->is & WITH_PROBE))
		return err_set(e, ERR_USAGE, 0, "--%s and --%s cannot be used together", service->name, row->name);
	return err_set(e, ERR_USAGE, 0, "--%s has no effect on %s", row->name, service->name);
}

int idle_refuse(
	const struct run *run, const struct addr *list, size_t n, const struct service *service, unsigned facts, struct err *e)
{
	static const struct {
		unsigned wants;
		const char *why, *after; /* the address between them; NULL: it is not named */
	} sentences[] = {
		{ WITH_DIAL, "requires --forward: nothing is dialed", NULL },
		{ WITH_CLIENT, "is for clients: a server waits for questions, not for replies", NULL },
		{ WITH_STREAM, "requires a stream, and ", " has datagrams" },
		{ WITH_DGRAM, "requires datagrams, and ", " is a stream" },
		{ WITH_DGRAM | WITH_FRAMES, "requires datagrams or --frame, and ", " is a stream of bytes" },
		{ WITH_INET, "requires an IP address, and ", " is none" },
		{ WITH_UNIX, "requires the path of a Unix socket, and ", " is none" },
		{ WITH_NEXT, "requires listen --keep-open", NULL },
		{ WITH_NOTICE, "requires --when-full notice, without TLS", NULL },
	};
	unsigned wants = 0;
	size_t i = 0;
	for (size_t k = 0; k < n; k++)
		facts |= facts_of(run, &list[k], service);
	const struct opt *row = conf_idle(run->conf, facts, &wants);
	if (row == NULL)
		return 0;
	if (wants & WITH_SERVICE)
		return idle_service(row, service, wants, e);
	if (wants == WITH_SENDING || wants == WITH_SHOWING)
		return err_set(e, ERR_USAGE, 0, "--%s and --%s cannot be used together",
			wants == WITH_SENDING ? "recv-only" : "send-only", row->name);
	while (i + 1 < sizeof sentences / sizeof sentences[0] && sentences[i].wants != wants)
		i++;
	bool names = sentences[i].after != NULL;
	return err_set(e, ERR_USAGE, 0, "--%s %s%s%s", row->name, sentences[i].why, names ? list->text : "",
		names ? sentences[i].after : "");
}
