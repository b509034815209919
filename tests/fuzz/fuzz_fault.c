/* A fault as it is asked for: taken or refused in one sentence, and then a layer takes it, or says that it cannot. */
#include "tests/fuzz/fuzz.h"

#include "fault/fault.h"
#include "tests/sim/sim.h"
#include "tests/unit/double.h"

#include <stdlib.h>
#include <string.h>

static void run(const uint8_t *bytes, size_t n)
{
	struct fault_spec spec;
	struct err e = { 0 };
	char text[256], names[FAULT_NAMES];
	size_t at = 0;
	if (!fuzz_word(bytes, n, &at, '\0', text, sizeof text))
		return;
	if (fault_parse(&spec, text, &e) != 0) {
		fuzz_check(e.cls == ERR_USAGE && e.what[0] != '\0', "refused without a word");
		fuzz_check_shown(e.what);
		return;
	}
	fuzz_check(spec.kind < FAULT_KINDS && spec.ranges_n <= FAULT_RANGES && spec.picks_n <= FAULT_PICKS,
		"more than there is room for");
	fuzz_check(strncmp(text, fault_name(&spec), strlen(fault_name(&spec))) == 0, "it is called something else");
	fault_names(fault_places(&spec), names);
	fault_concerns(&spec, 1, 1);
	struct double_stream d;
	struct fault_run shared = { .loop = sim_loop(), .linger = sim_lingers(), .seed = 1 };
	double_open(&d, sim_loop(), fault_places(&spec) & FAULT_AT_DGRAM ? ST_DGRAM : 0, NULL, NULL);
	d.owned = true;
	struct stream *top = &d.s;
	if (fault_push(&top, &shared, 1) != 0)
		abort();
	fault_apply(top, &spec);
	fuzz_check(fault_patience_ms(top) >= 0, "less patience than none");
	stream_close(top, CLOSE_PLAIN);
	linger_cut(sim_lingers()); /* it may take its time */
	fuzz_check(d.closed, "what is below was not closed");
	double_close(&d);
	fuzz_check(loop_is_idle(sim_loop()), "something stayed armed");
}

const struct fuzz fuzz_fault = { .name = "fault", .run = run };
