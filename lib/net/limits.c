/* How many descriptors a server may hold, and getting the system to allow them. */
#include "net/server.h"

#include "io/child.h"
#include "net/admit.h"

#include <errno.h>
#include <sys/resource.h>

enum {
	OWN_DESCRIPTORS = 32, /* listeners, stdio, signals, the loop's own */
	UNLIMITED_MOST = 65536
};

/* --max 0: as many as the system lets us have. */
static size_t unlimited(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max == RLIM_INFINITY || limit.rlim_max > UNLIMITED_MOST)
		return UNLIMITED_MOST;
	return (size_t)limit.rlim_max;
}

size_t server_descriptors(const struct conf *conf, uint32_t max, const struct service *service)
{
	const struct limit_conf *limit = conf_get(conf, &limit_opts);
	size_t clients = max != 0 ? max : (size_t)limit->max;
	size_t each = 1 + (service != NULL ? service->descriptors : 0);
	return clients == 0 ? unlimited() : clients * each + LINGER_MOST + OWN_DESCRIPTORS;
}

int server_limits(size_t fds, struct err *e)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return err_set(e, ERR_LOCAL, errno, "ask for the limit of open files");
	if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= fds)
		return 0;
	if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < fds)
		return err_set(e, ERR_USAGE, 0, "this run may need %zu open files and the system allows %llu; lower --max", fds,
			(unsigned long long)limit.rlim_max);
	child_files_limit(&limit);
	limit.rlim_cur = (rlim_t)fds;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return err_set(e, ERR_USAGE, errno, "raise the limit of open files to %zu", fds);
	return 0;
}
