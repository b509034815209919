/* What the tests of children share: a loop, a counter of their ends, and two that are easily told apart. */
#ifndef UNIT_CHILDREN_H
#define UNIT_CHILDREN_H

#include "loop/child.h"

#include <unistd.h>

static struct loop *loop;

static int set_up(void **state)
{
	(void)state;
	loop = loop_open(&loop_select, NULL);
	return loop != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	loop_close(loop);
	return 0;
}

struct seen {
	int count, status, most;
};

static void done(void *arg, int status)
{
	struct seen *s = arg;
	s->status = status;
	if (++s->count == s->most)
		loop_stop(loop);
}

static const int nothing[3] = { -1, -1, -1 };

static int returns(void *arg)
{
	return *(int *)arg;
}

static int sleeps(void *arg)
{
	(void)arg;
	pause();
	return 1;
}

#endif
