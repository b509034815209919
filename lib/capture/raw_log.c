/* What passes, as it is: the bytes of both directions and of all connections, in the order in which they passed our end. */
#include "capture/observers.h"

#include "base/mem.h"
#include "capture/output_files.h"
#include "stream/observer.h"

#include <errno.h>

enum { PIECES = 64 };

struct raw_log {
	struct output_file *file;
	bool takes; /* the file is this connection's alone */
};

static const struct why *raw_log_moved(void *self, enum observer_dir dir, const struct iovec *v, size_t len)
{
	const struct raw_log *log = self;
	struct observer_walk walk = { .v = v, .left = len };
	(void)dir;
	while (log->file->fd >= 0 && walk.left > 0) {
		struct iovec part[PIECES];
		const unsigned char *p;
		size_t got;
		int n = 0;
		for (; n < PIECES && observer_next(&walk, walk.left, &p, &got); n++)
			part[n] = (struct iovec){ (void *)(uintptr_t)p, got };
		output_file_write(log->file, part, n, false);
	}
	return NULL;
}

static void raw_log_close(void *self, enum close_how how)
{
	struct raw_log *log = self;
	(void)how;
	if (!log->takes)
		return;
	output_file_close(log->file);
	mem_free(log->file);
}

int raw_log_start(const struct run *run, void **shared, struct err *e)
{
	const struct observer_conf *conf = conf_get(run->conf, &observer_opts);
	return output_files_start(run, "--log-raw", conf->log_raw, sizeof(struct output_file), shared, e);
}

int raw_log_layer(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	static const struct observer_ops ops = { .name = "raw-log", .moved = raw_log_moved, .close = raw_log_close };
	const struct output_files *files = shared;
	struct output_file *file = output_files_for(files, link);
	if (file == NULL)
		return 0;
	struct raw_log *log = observer_push(top, &ops, sizeof *log);
	if (log == NULL) {
		output_files_unused(files, file);
		return err_set(e, ERR_LOCAL, ENOMEM, "look at the traffic");
	}
	*log = (struct raw_log){ .file = file, .takes = files->apart };
	return 0;
}
