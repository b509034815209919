/* The rows of layers, bottom first. Whoever adds one writes its file and its row; dialing and accepting both pass here. */
#include "net/stack.h"

#include "base/mem.h"
#include "io/expect.h"
#include "io/filter.h"
#include "io/frame.h"
#include "io/telnet.h"
#include "io/unread.h"
#include "net/session.h"
#include "net/faults.h"
#include "net/proxy.h"
#include "net/proxy_in.h"
#include "net/proxy_out.h"
#include "net/tap_files.h"
#include "net/taps.h"
#include "net/tls.h"

#include <errno.h>
#include <string.h>

static const struct opt text_rows[] = {
	{ .name = "crlf",
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
	const struct text_conf *conf = conf_get(link->env->conf, &text_opts);
	if (!conf->crlf || filter_push(top, "crlf", crlf_convert) == 0)
		return 0;
	return err_set(e, ERR_LOCAL, ENOMEM, "convert line ends");
}

static int start_telnet(const struct env *env, void **shared, struct err *e)
{
	const struct telnet_conf *conf = conf_get(env->conf, &telnet_opts);
	const struct addr *a = env->stack->addr;
	if (conf == NULL || !conf->wanted || env->stack->role != ROLE_DIAL)
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
static int start_frame(const struct env *env, void **shared, struct err *e)
{
	const struct frame_conf *frame = conf_get(env->conf, &frame_opts);
	const struct text_conf *text = conf_get(env->conf, &text_opts);
	(void)shared;
	if (frame->wanted && text->crlf)
		return err_set(e, ERR_USAGE, 0, "--frame and --crlf exclude each other; --frame crlf ends each line with CR LF");
	return 0;
}

/* A datagram is whole as it is. */
static int push_frame(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	const struct frame_conf *conf = conf_get(link->env->conf, &frame_opts);
	const struct stack *stack = link->env->stack;
	unsigned needs = stack != NULL && stack->service != NULL ? stack->service->needs : 0;
	bool whole = needs & WHOLE_FRAMES;
	(void)shared;
	if (conf == NULL || !conf->wanted || (needs & OWN_FRAMES) || (whole && ((*top)->caps & ST_DGRAM)))
		return 0;
	return frame_push(top, &conf->framer, link->env->budget, whole) == 0 ? 0 : err_set(e, ERR_LOCAL, ENOMEM, "cut frames");
}

static const struct layer layers[] = {
	{ PLACE_FAULT, "fault", &fault_opts, faults_start, faults_push, faults_stop },
	{ PLACE_PROXY, "proxy", &proxy_opts, proxy_start, proxy_push, proxy_stop },
	{ PLACE_PROXY, "proxy-in", &proxy_in_opts, proxy_in_start, proxy_in_push, NULL },
	{ PLACE_PROXY, "proxy-out", &proxy_out_opts, proxy_out_start, proxy_out_push, NULL },
	{ PLACE_TLS, "tls", &tls_opts, tls_start, tls_push, tls_stop },
	{ PLACE_TAP, "capture", &tap_opts, capture_start, capture_layer, capture_stop },
	{ PLACE_TAP, "transcript", &tap_opts, transcript_start, transcript_layer, tap_files_stop },
	{ PLACE_TAP, "record", &tap_opts, record_start, record_layer, tap_files_stop },
	{ PLACE_TAP, "data", NULL, NULL, data_layer, NULL },
	{ PLACE_TAP, "expect", &expect_opts, expect_start, expect_layer, expect_stop },
	{ PLACE_TELNET, "telnet", &telnet_opts, start_telnet, push_telnet, NULL },
	{ PLACE_FRAME, "crlf", &text_opts, NULL, push_crlf, NULL },
	{ PLACE_FRAME, "frame", &frame_opts, start_frame, push_frame, NULL },
};
enum { LAYERS = sizeof layers / sizeof layers[0] };
_Static_assert(sizeof layers / sizeof layers[0] <= STACK_ROWS, "what layers share has a place for each");

struct stack_far {
	struct env env;
	struct stack stack;
	struct addr addr;
};

static bool has(const struct stack *stack, size_t i)
{
	return stack->places & 1U << layers[i].place;
}

static int start_row(const struct env *env, size_t i, struct err *e)
{
	struct layer_share *share = &env->stack->shared[i];
	share->push = layers[i].push;
	return layers[i].start(env, &share->mem, e);
}

static int start(const struct env *env, struct err *e)
{
	for (size_t i = 0; i < LAYERS; i++)
		if (has(env->stack, i) && layers[i].start != NULL && start_row(env, i, e) < 0)
			return -1;
	return 0;
}

int stack_start(const struct env *env, enum role role, const struct addr *addr, const struct service *service, struct err *e)
{
	if (env->stack == NULL)
		return 0;
	env->stack->role = role;
	env->stack->places = service != NULL && service->needs & NO_PAYLOAD ? 1U << PLACE_TLS : ~0U;
	env->stack->addr = addr;
	env->stack->service = service;
	return start(env, e);
}

const struct env *stack_far(const struct env *env, const struct addr *addr, struct err *e)
{
	struct stack_far *far = mem_new(sizeof *far);
	if (far == NULL) {
		err_set(e, ERR_LOCAL, ENOMEM, "prepare connections to %s", addr->text);
		return NULL;
	}
	far->env = *env;
	far->env.stack = &far->stack;
	far->addr = *addr;
	far->stack = (struct stack){ .role = ROLE_DIAL, .places = 1U << PLACE_TLS, .addr = &far->addr };
	if (env->stack->role == ROLE_ACCEPT) /* a client's own connection is the one that goes through them */
		far->stack.places |= 1U << PLACE_PROXY;
	env->stack->far = far; /* what has started of it is stopped with the rest */
	return start(&far->env, e) == 0 ? &far->env : NULL;
}

void stack_stop(const struct env *env)
{
	if (env->stack == NULL)
		return;
	if (env->stack->far != NULL) {
		stack_stop(&env->stack->far->env);
		mem_free(env->stack->far);
		env->stack->far = NULL;
	}
	for (size_t i = 0; i < LAYERS; i++) {
		struct layer_share *share = &env->stack->shared[i];
		if (share->mem != NULL && layers[i].stop != NULL)
			layers[i].stop(env, share->mem);
		*share = (struct layer_share){ 0 };
	}
}

static bool is_later(const struct stack *stack, size_t i)
{
	return stack->tls_later && layers[i].place == PLACE_TLS;
}

int stack_build(struct stream **top, const struct link *link, struct err *e)
{
	const struct stack *stack = link->env->stack;
	for (size_t i = 0; i < LAYERS; i++)
		if ((stack == NULL || (has(stack, i) && !is_later(stack, i))) &&
			layers[i].push(top, link, stack != NULL ? stack->shared[i].mem : NULL, e) < 0)
			return -1;
	return 0;
}

/* --- TLS in the midst of a connection --- */

static size_t tls_row(void)
{
	size_t i = 0;
	while (layers[i].place != PLACE_TLS)
		i++;
	return i;
}

int stack_tls_later(const struct env *env, bool wanted, struct err *e)
{
	if (env->stack == NULL)
		return 0;
	env->stack->tls_later = wanted;
	struct layer_share *share = &env->stack->shared[tls_row()];
	share->push = layers[tls_row()].push;
	return tls_later(env, &share->mem, e);
}

/* Of a socket, or of a layer whose place is below that of TLS. */
static bool lies_below(const struct stream *s)
{
	if (s->below == NULL)
		return true;
	for (size_t i = 0; i < LAYERS && layers[i].place < PLACE_TLS; i++)
		if (strcmp(layers[i].name, s->ops->name) == 0)
			return true;
	return false;
}

int stack_secure(struct stream **top, const struct link *link, const void *unread, size_t n, struct err *e)
{
	struct stream **seat = top, *was = *top;
	struct tally *tally = was->tally;
	while (!lies_below(*seat))
		seat = &(*seat)->below;
	struct stream *below = *seat, *tls = below;
	size_t row = tls_row();
	if (n > 0 && unread_push(&tls, unread, n) != 0)
		return err_set(e, ERR_LOCAL, ENOMEM, "start TLS");
	struct stream *again = tls;
	if (layers[row].push(&tls, link, link->env->stack->shared[row].mem, e) != 0) {
		if (again != below)
			unread_drop(again);
		return -1;
	}
	*seat = tls;
	was->tally = NULL;
	(*top)->tally = tally;
	for (struct stream *s = *top; s != tls; s = s->below)
		if (s->ops->secured != NULL)
			s->ops->secured(s);
	return 0;
}
