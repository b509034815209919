/* From --fault to the layer (fault_opts.h). listen_fault.c has the faults of listening sockets. */
#include "fault/fault_opts.h"

#include "base/mem.h"
#include "base/sys.h"
#include "fault/fault.h"
#include "net/service.h"

#include <errno.h>

static int read_fault(void *block, const char *text, struct err *e)
{
	struct fault_conf *conf = block;
	if (conf->n == FAULTS_MOST)
		return err_set(e, ERR_USAGE, 0, "more than %d of them", FAULTS_MOST);
	struct fault_spec *spec = &conf->spec[conf->n];
	if (fault_parse(spec, text, e) != 0)
		return -1;
	for (unsigned i = 0; i < conf->n; i++)
		spec->nth = (uint8_t)(spec->nth + (conf->spec[i].kind == spec->kind));
	conf->n++;
	return 0;
}

static const struct opt rows[] = {
	{ .name = "fault",
		.kind = OPT_HOOK,
		.off = offsetof(struct fault_conf, spec),
		.hook = read_fault,
		.arg = "NAME[=VALUE][:in|:out][,conn=LIST][,prob=P%]",
		.help = "misbehave: latency=100ms, rst-after=4k, loss=5% ...",
		.man = "Misbehaves as NAME says, which may be given again and again: see FAULTS. :in is what we receive, :out what we "
		       "send, without either it is both ways. conn=2,5-7,9- are the numbers of the connections that it concerns, and "
		       "prob=P% how many of these. An unknown name lists them all." },
	{ .name = "seed",
		.kind = OPT_INT,
		.off = offsetof(struct fault_conf, seed),
		.arg = "N",
		.min = 0,
		.max = UINT32_MAX,
		.help = "repeat the faults of the run that had this seed",
		.man = "The number that decides what faults leave to chance. The same number decides the same, whatever the network does. "
		       "Without it one is drawn; the event start tells it, and so does every failure of a run with faults." },
	{ 0 },
};
const struct opt_group fault_opts = { .title = "Faults", .size = sizeof(struct fault_conf), .rows = rows, .with = WITH_PAYLOAD };

static const struct fault_conf *conf_of(const struct run *run)
{
	static const struct fault_conf none;
	const struct fault_conf *conf = conf_get(run->conf, &fault_opts);
	return conf != NULL ? conf : &none;
}

uint32_t faults_seed(const struct conf *conf)
{
	const struct fault_conf *own = conf_get(conf, &fault_opts);
	return CONF_GIVEN(conf, fault, seed) ? (uint32_t)own->seed : sys_random();
}

void faults_name_seed(const struct run *run, struct err *e)
{
	bool faults = conf_of(run)->n > 0 || (run->layers != NULL && run->layers->faults);
	if (faults && e->cls != ERR_OK && e->cls != ERR_USAGE)
		err_set(e, e->cls, 0, "%s (--seed %u)", e->what, (unsigned)run->seed);
}

const struct fault_spec *faults_next(const struct run *run, enum fault_kind kind, uint32_t conn, const struct fault_spec *after)
{
	const struct fault_conf *conf = conf_of(run);
	const struct fault_spec *spec = after != NULL ? after + 1 : conf->spec;
	for (; spec < conf->spec + conf->n; spec++)
		if (spec->kind == kind && (conn == 0 || fault_concerns(spec, run->seed, conn)))
			return spec;
	return NULL;
}

const struct fault_spec *faults_of(const struct run *run, enum fault_kind kind, uint32_t conn)
{
	const struct fault_spec *spec = NULL, *longest = NULL;
	while ((spec = faults_next(run, kind, conn, spec)) != NULL)
		longest = longest == NULL || spec->a > longest->a ? spec : longest;
	return longest;
}

void faults_tell(const struct run *run, const struct fault_spec *spec, uint32_t conn)
{
	event(run->events, EV_FAULT, conn, EV_TEXT("kind", fault_name(spec)), EV_SOME("value", spec->a * 1000));
}

/* --- the layer --- */

static int fault_opts_refuse(const struct fault_spec *spec, unsigned possible, const char *where, struct err *e)
{
	char names[FAULT_NAMES];
	return err_set(e, ERR_USAGE, 0, "--fault %s: %s; possible are %s", fault_name(spec), where, fault_names(possible, names));
}

static int fault_opts_check(const struct fault_spec *spec, bool accepts, bool dgram, struct err *e)
{
	unsigned place = dgram ? FAULT_AT_DGRAM : FAULT_AT_STREAM, places = fault_places(spec);
	unsigned possible = place | (accepts && !dgram ? FAULT_AT_LISTENER : 0U);
	if ((places & possible) != 0)
		return 0;
	if (places == FAULT_AT_LISTENER)
		return fault_opts_refuse(
			spec, possible, accepts ? "datagrams are not accepted" : "a client accepts no connections", e);
	return fault_opts_refuse(spec, possible, dgram ? "datagrams have no such fault" : "streams have no such fault", e);
}

int faults_start(const struct run *run, void **shared, struct err *e)
{
	const struct fault_conf *conf = conf_of(run);
	const struct addr *a = run->layers->addr;
	bool accepts = run->layers->role == ROLE_ACCEPT;
	const struct service *service = run->layers->service;
	if (CONF_GIVEN(run->conf, fault, seed) && conf->n == 0 && !(service != NULL && service->is & WITH_TALK))
		return err_set(e, ERR_USAGE, 0, "--seed requires --fault: nothing else is left to chance");
	for (unsigned i = 0; i < conf->n && a->kind != ADDR_FD; i++) /* an inherited socket is checked when it is used */
		if (fault_opts_check(&conf->spec[i], accepts, addr_dgram(a), e) != 0)
			return -1;
	struct fault_run *fault_run = mem_new(sizeof *fault_run);
	if (fault_run == NULL)
		return err_set(e, ERR_LOCAL, ENOMEM, "start");
	*fault_run = (struct fault_run){ .loop = run->loop, .linger = run->linger, .events = run->events, .seed = run->seed };
	*shared = fault_run;
	return 0;
}

void faults_stop(const struct run *run, void *takes)
{
	(void)run;
	mem_free(takes);
}

static int apply_all(struct stream *top, const struct link *link, struct err *e)
{
	const struct fault_conf *conf = conf_of(link->run);
	for (unsigned i = 0; i < conf->n; i++) {
		const struct fault_spec *spec = &conf->spec[i];
		if (fault_opts_check(spec, link->role == ROLE_ACCEPT, top->caps & ST_DGRAM, e) != 0)
			return -1;
		if (fault_places(spec) != FAULT_AT_LISTENER && fault_apply(top, spec) != 0)
			return err_set(e, ERR_LOCAL, errno, "--fault %s", fault_name(spec));
	}
	return 0;
}

int faults_push(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	const struct fault_conf *conf = conf_of(link->run);
	bool wanted = link->run->layers != NULL && link->run->layers->faults;
	for (unsigned i = 0; i < conf->n; i++)
		wanted |= fault_places(&conf->spec[i]) != FAULT_AT_LISTENER &&
			  fault_concerns(&conf->spec[i], link->run->seed, link->conn);
	if (!wanted || shared == NULL)
		return 0;
	if (fault_push(top, shared, link->conn) != 0)
		return err_set(e, ERR_LOCAL, ENOMEM, "misbehave");
	return apply_all(*top, link, e);
}
