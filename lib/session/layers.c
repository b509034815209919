/* The rows of layers, bottom first. A new layer is a file and a row; dialed and accepted connections both use them. */
#include "session/layers.h"

#include "base/mem.h"
#include "capture/expect.h"
#include "codec/filter.h"
#include "codec/frame.h"
#include "codec/telnet.h"
#include "stream/pushback.h"
#include "session/session.h"
#include "fault/fault_opts.h"
#include "proxy/proxy.h"
#include "proxy/proxy_accept.h"
#include "proxy/proxy_announce.h"
#include "capture/output_files.h"
#include "capture/observers.h"
#include "tls/tls.h"

#include <errno.h>

static const struct opt text_rows[] = {
	{ .name = "crlf",
		.with = WITH_STDIO | WITH_CONSOLE | WITH_CHAT | WITH_FILE | WITH_EXEC | WITH_TALK | WITH_FORWARD | WITH_SENDING,
		.ch = 'C',
		.kind = OPT_FLAG,
		.off = offsetof(struct text_conf, crlf),
		.help = "send LF as CR LF",
		.man = "Sends each LF as CR LF; a CR LF stays as it is. What is received is not changed." },
	{ 0 },
};
const struct opt_group text_opts = { .title = "Text", .size = sizeof(struct text_conf), .rows = text_rows };

static int push_crlf(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	(void)shared;
	const struct text_conf *conf = conf_get(link->run->conf, &text_opts);
	if (!conf->crlf || filter_push(top, "crlf", crlf_convert) == 0)
		return 0;
	return err_set(e, ERR_LOCAL, ENOMEM, "convert line ends");
}

static int start_telnet(const struct run *run, void **shared, struct err *e)
{
	const struct telnet_conf *conf = conf_get(run->conf, &telnet_opts);
	const struct addr *a = run->layers->addr;
	if (conf == NULL || !conf->wanted || run->layers->role != ROLE_DIAL)
		return 0;
	if (addr_dgram(a))
		return err_set(e, ERR_USAGE, 0, "--telnet: telnet needs a stream, and %s has datagrams", a->text);
	*shared = (void *)(uintptr_t)conf;
	return 0;
}

static int push_telnet(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	(void)link;
	if (shared == NULL || ((*top)->caps & ST_DGRAM) || telnet_push(top) == 0)
		return 0;
	return err_set(e, ERR_LOCAL, ENOMEM, "speak telnet");
}

/* Both would change line ends. */
static int start_frame(const struct run *run, void **shared, struct err *e)
{
	const struct frame_conf *frame = conf_get(run->conf, &frame_opts);
	const struct text_conf *text = conf_get(run->conf, &text_opts);
	(void)shared;
	if (frame->wanted && text->crlf)
		return err_set(
			e, ERR_USAGE, 0, "--frame and --crlf cannot be used together; --frame crlf ends each line with CR LF");
	return 0;
}

/* A datagram is whole as it is. */
static int push_frame(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	const struct frame_conf *conf = conf_get(link->run->conf, &frame_opts);
	const struct layers *layers = link->run->layers;
	unsigned needs = layers != NULL && layers->service != NULL ? layers->service->needs : 0;
	bool whole = needs & WHOLE_FRAMES;
	(void)shared;
	if (conf == NULL || !conf->wanted || (needs & OWN_FRAMES) || (whole && ((*top)->caps & ST_DGRAM)))
		return 0;
	return frame_push(top, &conf->framer, link->run->budget, whole) == 0 ? 0 : err_set(e, ERR_LOCAL, ENOMEM, "cut frames");
}

static const struct layer layer_rows[] = {
	{ PLACE_FAULT, &fault_opts, faults_start, faults_push, faults_stop },
	{ PLACE_PROXY, &proxy_opts, proxy_start, proxy_push, proxy_stop },
	{ PLACE_PROXY, &proxy_accept_opts, proxy_accept_start, proxy_accept_push, NULL },
	{ PLACE_PROXY, &proxy_announce_opts, proxy_announce_start, proxy_announce_push, NULL },
	{ PLACE_TLS, &tls_opts, tls_start, tls_push, tls_stop },
	{ PLACE_OBSERVER, &observer_opts, capture_start, capture_layer, capture_stop },
	{ PLACE_OBSERVER, &observer_opts, transcript_start, transcript_layer, output_files_stop },
	{ PLACE_OBSERVER, &observer_opts, record_start, record_layer, output_files_stop },
	{ PLACE_OBSERVER, &observer_opts, raw_log_start, raw_log_layer, output_files_stop },
	{ PLACE_OBSERVER, NULL, NULL, data_layer, NULL },
	{ PLACE_OBSERVER, &expect_opts, expect_start, expect_layer, expect_stop },
	{ PLACE_TELNET, &telnet_opts, start_telnet, push_telnet, NULL },
	{ PLACE_FRAME, &text_opts, NULL, push_crlf, NULL },
	{ PLACE_FRAME, &frame_opts, start_frame, push_frame, NULL },
};
enum { LAYERS = sizeof layer_rows / sizeof layer_rows[0] };
_Static_assert(sizeof layer_rows / sizeof layer_rows[0] <= LAYERS_MOST, "what layer_rows share has a place for each");

struct layers_far {
	struct run run;
	struct layers layers;
	struct addr addr;
	struct layers_far *next;
};

static bool layers_has(const struct layers *layers, size_t i)
{
	return layers->places & 1U << layer_rows[i].place;
}

static int start_row(const struct run *run, size_t i, struct err *e)
{
	struct layer_share *share = &run->layers->shared[i];
	share->push = layer_rows[i].push;
	return layer_rows[i].start(run, &share->mem, e);
}

static int layers_start_rows(const struct run *run, struct err *e)
{
	for (size_t i = 0; i < LAYERS; i++)
		if (layers_has(run->layers, i) && layer_rows[i].start != NULL && start_row(run, i, e) < 0)
			return -1;
	return 0;
}

int layers_start(const struct run *run, enum role role, const struct addr *addr, const struct service *service, struct err *e)
{
	if (run->layers == NULL)
		return 0;
	run->layers->role = role;
	run->layers->places = service != NULL && service->needs & NO_PAYLOAD ? 1U << PLACE_TLS : ~0U;
	run->layers->addr = addr;
	run->layers->service = service;
	return layers_start_rows(run, e);
}

const struct run *layers_far(const struct run *run, const struct addr *addr, struct err *e)
{
	struct layers_far *far = mem_new(sizeof *far);
	if (far == NULL) {
		err_set(e, ERR_LOCAL, ENOMEM, "prepare connections to %s", addr->text);
		return NULL;
	}
	far->run = *run;
	far->run.layers = &far->layers;
	far->addr = *addr;
	far->layers = (struct layers){ .role = ROLE_DIAL, .places = 1U << PLACE_TLS, .addr = &far->addr };
	if (run->layers->role == ROLE_ACCEPT) /* proxies are for a client's own connection */
		far->layers.places |= 1U << PLACE_PROXY;
	far->next = run->layers->far;
	run->layers->far = far; /* so that what has started is stopped with the rest */
	return layers_start_rows(&far->run, e) == 0 ? &far->run : NULL;
}

void layers_stop(const struct run *run)
{
	if (run->layers == NULL)
		return;
	while (run->layers->far != NULL) {
		struct layers_far *far = run->layers->far;
		run->layers->far = far->next;
		layers_stop(&far->run);
		mem_free(far);
	}
	for (size_t i = 0; i < LAYERS; i++) {
		struct layer_share *share = &run->layers->shared[i];
		if (share->mem != NULL && layer_rows[i].stop != NULL)
			layer_rows[i].stop(run, share->mem);
		*share = (struct layer_share){ 0 };
	}
}

static bool is_later(const struct layers *layers, size_t i)
{
	return layers->tls_later && layer_rows[i].place == PLACE_TLS;
}

/* What a row pushes knows its place. */
static int push_row(struct stream **top, const struct link *link, size_t i, void *shared, struct err *e)
{
	const struct stream *was = *top;
	int rc = layer_rows[i].push(top, link, shared, e);
	for (struct stream *s = *top; s != was; s = s->below)
		s->place = (uint8_t)layer_rows[i].place;
	return rc;
}

int layers_build(struct stream **top, const struct link *link, struct err *e)
{
	const struct layers *layers = link->run->layers;
	for (size_t i = 0; i < LAYERS; i++)
		if ((layers == NULL || (layers_has(layers, i) && !is_later(layers, i))) &&
			push_row(top, link, i, layers != NULL ? layers->shared[i].mem : NULL, e) < 0)
			return -1;
	return 0;
}

/* --- TLS in the midst of a connection --- */

static size_t tls_row(void)
{
	size_t i = 0;
	while (layer_rows[i].place != PLACE_TLS)
		i++;
	return i;
}

int layers_tls_later(const struct run *run, bool wanted, struct err *e)
{
	if (run->layers == NULL)
		return 0;
	run->layers->tls_later = wanted;
	struct layer_share *share = &run->layers->shared[tls_row()];
	share->push = layer_rows[tls_row()].push;
	return tls_later(run, &share->mem, e);
}

/* Of a socket, or of a layer below the place of TLS. */
static bool lies_below(const struct stream *s)
{
	return s->below == NULL || (s->place != PLACE_NONE && s->place < PLACE_TLS);
}

int layers_secure(struct stream **top, const struct link *link, const void *unread, size_t n, struct err *e)
{
	struct stream **seat = top, *was = *top;
	struct counters *counters = was->counters;
	while (!lies_below(*seat))
		seat = &(*seat)->below;
	struct stream *below = *seat, *tls = below;
	size_t row = tls_row();
	if (n > 0 && pushback_push(&tls, unread, n) != 0)
		return err_set(e, ERR_LOCAL, ENOMEM, "start TLS");
	struct stream *again = tls;
	if (push_row(&tls, link, row, link->run->layers->shared[row].mem, e) != 0) {
		if (again != below)
			pushback_drop(again);
		return -1;
	}
	*seat = tls;
	was->counters = NULL;
	(*top)->counters = counters;
	for (struct stream *s = *top; s != tls; s = s->below)
		if (s->ops->secured != NULL)
			s->ops->secured(s);
	return 0;
}
