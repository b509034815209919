/* The calls by which lib reaches the system, led to a kernel of ours while a history has one (kernel.h), and what else a server
 * has around it: signals, the command of --run, stdin and stdout, layers. The linker leads them here (--wrap, see the Makefile);
 * without a history they are what they always are. */
#ifndef TESTS_WRAPS_H
#define TESTS_WRAPS_H

#include "stream/stream.h"

enum { WRAPS_SIGNALS = 32 };

struct wraps {
	bool shake;	    /* connections have that layer (shake.h) */
	struct stream *std; /* stdin and stdout; closing it does nothing */
	bool has_run, run_command_busy;
	int run_command_status;
	bool run_ended_by_us;
	void (*run_idle)(void *arg);
	void *run_arg;
	struct {
		void (*fn)(void *arg, int signo);
		void *arg;
	} signal[WRAPS_SIGNALS];
};
extern struct wraps wraps;

void wraps_signal(int signo);	 /* it arrives */
void wraps_run_ends(int status); /* the command does */

#endif
