/* The loop: descriptors, timers, tasks and signals of one run, on one thread.
 *
 * A turn runs the tasks of loop_later, waits until a descriptor is ready or the nearest timer is due, calls the watches, then the
 * timers. A callback must not block. Descriptors are watched through `struct watch`, two of which may share one fd (their events
 * are merged). Remove a watch (want 0) before its fd is closed; readiness collected for the old file of a reused number is
 * dropped. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/err.h"
#include "base/opt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LOOP_IN = 1,
	LOOP_OUT = 2,
	LOOP_HUP = 4,
	LOOP_END = 8 /* beside LOOP_HUP alone: the peer has ended its side, though bytes may be unread; only on systems that
			report it */
};
#define NEVER INT64_MAX

struct loop;

struct watch {
	int fd; /* set once, before the first loop_watch */
	unsigned want;
	void (*fn)(void *arg, unsigned ready); /* LOOP_IN|OUT as wanted; LOOP_HUP: both directions are over, or an error waits */
	void *arg;
	struct watch *twin; /* another watch of the same fd */
};

struct timer { /* zeroed before first use, and whenever it is not set */
	int64_t at_ms;
	size_t pos; /* 1-based place in the heap; 0: not set */
	void (*fn)(void *arg);
	void *arg;
};

struct task { /* zeroed before first use */
	struct task *next;
	void (*fn)(void *arg);
	void *arg;
	bool queued;
};

/* A backend only translates. `set` gets the union of the wanted events of an fd (0: forget it). `wait` blocks until an fd is
 * ready or until_ms (NEVER: no limit) and reports each ready fd once with loop_ready. */
struct loop_backend {
	const char *name;
	void *(*open)(struct err *e);
	int (*set)(void *backend, int fd, unsigned want, struct err *e);
	int (*wait)(void *backend, struct loop *loop, int64_t until_ms, struct err *e);
	int64_t (*now)(void *backend); /* milliseconds, monotonic; NULL: the system's clock. A simulation has its own. */
	void (*close)(void *backend);
};

extern const struct loop_backend loop_select;
#ifdef __linux__
extern const struct loop_backend loop_epoll;
#endif

extern const struct opt_group loop_opts; /* --loop, --no-splice, --memory */
struct loop_conf {
	int backend; /* 0 auto, 1 select, 2 epoll */
	bool no_splice;
	int64_t memory; /* bytes, of base/budget.h */
};

/* The backend for a run with up to `fds` descriptors: as --loop says, else select up to 256 and epoll beyond, if there is one.
 * NULL with e (ERR_USAGE) if the choice cannot hold so many or the system has no such backend. */
const struct loop_backend *loop_pick(const struct loop_conf *conf, size_t fds, struct err *e);

/* Names of the backends built in, for --version: "select epoll". */
const char *loop_backends(void);

struct loop *loop_open(const struct loop_backend *backend, struct err *e);
void loop_close(struct loop *takes);

/* Turns until loop_stop. -1 with e: the backend failed, or no callback is possible any more (ERR_BUG). May be called again, but
 * not from a callback. */
int loop_run(struct loop *loop, struct err *e);
void loop_stop(struct loop *loop); /* after this turn */

/* Monotonic milliseconds of this turn; the only clock for all code above the loop. */
int64_t loop_now(const struct loop *loop);
int64_t loop_now_us(const struct loop *loop); /* the same moment, finer: for measurements */

/* Sets the events that the watch wants from now on; 0 removes it. -1 (errno set) if the backend cannot hold that fd. */
int loop_watch(struct loop *loop, struct watch *w, unsigned want);
void loop_timer(struct loop *loop, struct timer *t, int64_t at_ms); /* NEVER cancels */
/* Runs once, after this turn's callbacks: sweep, flush, next slice. Deferring a queued task again changes nothing. */
void loop_later(struct loop *loop, struct task *t);
void loop_forget(struct loop *loop, struct task *t); /* cancels a queued task */

/* Calls fn in the loop when signo arrives. A signal that was ignored at start stays ignored (0, and fn is never called), except
 * SIGCHLD and SIGWINCH. One fn per signal; NULL: none from now on. Only loop_close restores the old disposition, so a late signal
 * cannot kill a run that is cleaning up. */
int loop_signal(struct loop *loop, int signo, void (*fn)(void *arg, int signo), void *arg, struct err *e);

/* For backends: fd is ready for these events. */
void loop_ready(struct loop *loop, int fd, unsigned ready);

#endif
