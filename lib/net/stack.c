/* The rows of layers, bottom first. Whoever adds one writes its file and its row; dialing and accepting both pass here. */
#include "net/stack.h"

#include "io/filter.h"

#include <errno.h>

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

static int push_crlf(struct stream **top, enum role role, const struct env *env, uint32_t conn, struct err *e)
{
	(void)role;
	(void)conn;
	const struct text_conf *conf = conf_get(env->conf, &text_opts);
	if (!conf->crlf || filter_push(top, "crlf", crlf_convert) == 0)
		return 0;
	return err_set(e, ERR_LOCAL, ENOMEM, "convert line ends");
}

static const struct layer layers[] = {
	{ PLACE_FRAME, "crlf", &text_opts, push_crlf },
};

int stack_build(struct stream **top, enum role role, const struct env *env, uint32_t conn, struct err *e)
{
	for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++)
		if (layers[i].push(top, role, env, conn, e) < 0)
			return -1;
	return 0;
}
