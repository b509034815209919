/* A connection that is recorded: the bytes are what passed, each piece behind a byte that says which way and how long. What is
 * written is a talk script that can be read again. */
#include "tests/fuzz/fuzz.h"

#include "capture/record.h"
#include "script/talk_script.h"
#include "tests/sim/sim.h"
#include "tests/unit/double.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECES = 32 };

static char path[64], script[80];

static void remove_file(void)
{
	unlink(path);
}

static void open_file(void)
{
	snprintf(path, sizeof path, "/tmp/sockctl-fuzz-%ld.talk", (long)getpid());
	snprintf(script, sizeof script, "@%s", path);
	atexit(remove_file);
}

static void broke(void *arg, const struct err *e)
{
	(void)arg;
	fuzz_check(false, e->what);
}

static void pass_time(int64_t ms)
{
	struct timer t = { .fn = (void (*)(void *))loop_stop, .arg = sim_loop() };
	struct err e = { 0 };
	loop_timer(sim_loop(), &t, loop_now(sim_loop()) + ms);
	fuzz_check(loop_run(sim_loop(), &e) == 0, "time does not pass");
}

static void passes(struct stream *top, struct double_stream *d, const uint8_t *bytes, size_t n)
{
	unsigned char buf[256];
	struct act says[] = { { .kind = ACT_SAY }, { .kind = ACT_STOP } };
	for (size_t at = 0, i = 0; at + 1 < n && i < PIECES; i++) {
		uint8_t how = bytes[at++];
		size_t len = how & 63;
		len = len < n - at ? len : n - at;
		if (len == 0)
			pass_time(how);
		says[0].text = (const char *)bytes + at;
		says[0].n = len;
		d->rd = (struct script){ .at = says };
		if (len > 0 && (how & 64))
			stream_read(top, buf, sizeof buf);
		else if (len > 0)
			stream_write(top, bytes + at, len);
		at += len;
	}
	if (n > 0 && (bytes[0] & 128))
		stream_shut(top);
}

static void run(const uint8_t *bytes, size_t n)
{
	static struct record record;
	struct double_stream d;
	struct err e = { 0 };
	record = (struct record){ 0 };
	if (output_file_open(&record.file, path, broke, NULL, &e) != 0)
		fuzz_check(false, e.what);
	double_open(&d, sim_loop(), 0, NULL, NULL);
	d.owned = true;
	struct stream *top = &d.s;
	if (record_push(&top, &record, false, 1, "there to here", sim_loop()) != 0)
		abort();
	passes(top, &d, bytes, n);
	stream_close(top, n > 0 && (bytes[n - 1] & 1) ? CLOSE_RST : CLOSE_PLAIN);
	output_file_close(&record.file);
	double_close(&d);
	const char *texts[] = { script };
	const struct talk_options options = { .framer = framer_line };
	struct talk_script *s = talk_parse(texts, 1, &options, &e);
	fuzz_check(s != NULL, e.what);
	talk_free(s);
}

const struct fuzz fuzz_record = { .name = "record", .open = open_file, .run = run };
