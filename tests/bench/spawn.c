/* Runs a program runs= times, one after the other, with nothing on its three descriptors, and says what all of it took. The words
 * after "--" are the program; code= is the exit status it must end with. */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int64_t us(struct timeval t)
{
	return t.tv_sec * 1000000LL + t.tv_usec;
}

int main(int argc, char **argv)
{
	load_start(argc, argv);
	char **program = argv;
	while (*program != NULL && strcmp(*program, "--") != 0)
		program++;
	if (*program == NULL || program[1] == NULL)
		load_die("-- PROGRAM");
	program++;
	posix_spawn_file_actions_t files;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	long runs = load_number("runs", 100), code = load_number("code", 0);
	struct hist times = { 0 };
	int64_t first = load_now_ns();
	for (long i = 0; i < runs; i++) {
		pid_t pid;
		int status;
		int64_t start = load_now_ns();
		errno = posix_spawnp(&pid, program[0], &files, NULL, program, environ);
		if (errno != 0)
			load_die("%s", program[0]);
		load_ok(waitpid(pid, &status, 0), "waitpid");
		if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
			load_die("%s ended with status %#x instead of exit status %ld", program[0], (unsigned)status, code);
		hist_add(&times, load_now_ns() - start);
	}
	struct rusage used;
	int64_t last = load_now_ns();
	getrusage(RUSAGE_CHILDREN, &used);
	load_report("\"ops\": %ld, \"ns\": %" PRId64 ", \"cpu_us\": %" PRId64 ", \"p50\": %.1f, \"p99\": %.1f", runs,
		last - first, us(used.ru_utime) + us(used.ru_stime), hist_us(&times, 0.5), hist_us(&times, 0.99));
	return 0;
}
