/* The service of a run: the one that an option requests, else the mode's own. */
#include "services/service.h"

#include "talk/talk.h"

static const struct service *const rows[] = { &service_file, &service_discard, &service_zero, &service_exec, &service_talk,
	&service_forward };

const struct service *service_pick(const struct run *run, const struct service *own, struct err *e)
{
	const struct service *picked = NULL;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (!rows[i]->wanted(run))
			continue;
		if (picked != NULL) {
			err_set(e, ERR_USAGE, 0, "--%s and --%s: a connection can have only one service", picked->name,
				rows[i]->name);
			return NULL;
		}
		picked = rows[i];
	}
	return picked != NULL ? picked : own;
}
