/* The files that a run's observers write; a failed file makes the run fail at its end, but stops no traffic. */
#include "capture/output_files.h"

#include "base/mem.h"
#include "base/text.h"
#include "capture/transcript.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int no_memory(struct err *e)
{
	return err_set(e, ERR_LOCAL, ENOMEM, "look at the traffic");
}

void output_files_broke(void *arg, const struct err *why)
{
	const struct run *run = arg;
	struct err told = *why;
	err_set(&told, why->cls, 0, "%s; it is complete up to here", why->what);
	event(run->events, EV_WARN, 0, EV_TEXT("text", told.what));
	run_fail(run, why);
}

/* Files of later connections are opened later; here only their folder is checked. */
static int check_folder(const char *file, struct err *e)
{
	char shown[256];
	char *path = transcript_path(file, 1), *slash = path == NULL ? NULL : strrchr(path, '/');
	if (path == NULL)
		return no_memory(e);
	if (slash != NULL)
		slash[1] = '\0';
	const char *folder = slash != NULL ? path : "./";
	int sys = access(folder, W_OK | X_OK) == 0 ? 0 : errno;
	text_show(shown, sizeof shown, folder, strlen(folder));
	mem_free(path);
	return sys == 0 ? 0 : err_set(e, ERR_USAGE, sys, "folder %s", shown);
}

/* The file of one connection, or (0) of all. */
static void *open_one(const struct output_files *files, const struct run *run, uint32_t conn, struct err *e)
{
	void *one = mem_new(files->bytes);
	char *path = transcript_path(files->file, conn);
	int rc = one == NULL || path == NULL ? no_memory(e)
					     : output_file_open(one, path, output_files_broke, (void *)(uintptr_t)run, e);
	mem_free(path);
	if (rc == 0)
		return one;
	mem_free(one);
	return NULL;
}

int output_files_start(const struct run *run, const char *option, const char *file, size_t bytes, void **shared, struct err *e)
{
	if (file == NULL)
		return 0;
	struct output_files *files = mem_new(sizeof *files);
	if (files == NULL)
		return no_memory(e);
	*files = (struct output_files){ .option = option, .file = file, .apart = transcript_apart(file), .bytes = bytes };
	*shared = files;
	if (files->apart)
		return check_folder(file, e) == 0 ? 0 : err_prefix(e, "%s", option);
	files->one = open_one(files, run, 0, e);
	return files->one != NULL ? 0 : err_prefix(e, "%s", option);
}

void *output_files_for(const struct output_files *files, const struct link *link)
{
	struct err e = { 0 };
	if (files == NULL || !files->apart)
		return files == NULL ? NULL : files->one;
	void *one = open_one(files, link->run, link->conn, &e);
	if (one != NULL)
		return one;
	e.cls = ERR_LOCAL; /* too late for a usage error */
	err_prefix(&e, "%s", files->option);
	event(link->run->events, EV_WARN, link->conn, EV_TEXT("text", e.what));
	run_fail(link->run, &e);
	return NULL;
}

void output_files_unused(const struct output_files *files, void *one)
{
	if (!files->apart)
		return;
	output_file_close(one);
	mem_free(one);
}

void output_files_stop(const struct run *run, void *takes)
{
	struct output_files *files = takes;
	(void)run;
	if (files->one != NULL)
		output_file_close(files->one);
	mem_free(files->one);
	mem_free(files);
}
