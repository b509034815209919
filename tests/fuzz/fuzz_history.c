/* Whole histories (tests/sim) whose chance is the fuzzer's bytes: it learns which of them lead anywhere. */
#include "tests/fuzz/fuzz.h"

#include "tests/sim/sim.h"

static void run_history(const struct kind *kind, const uint8_t *bytes, size_t n)
{
	struct dice d = dice_from(1);
	d.bytes = bytes;
	d.left = n;
	kind->run(&d);
	sim_schedule(NULL, 0);
}

static void open_pump(void)
{
	kind_pump.open();
}

static void run_pump(const uint8_t *bytes, size_t n)
{
	run_history(&kind_pump, bytes, n);
}

static void open_sessions(void)
{
	kind_sessions.open();
}

static void run_sessions(const uint8_t *bytes, size_t n)
{
	run_history(&kind_sessions, bytes, n);
}

static void open_chat(void)
{
	kind_chat.open();
}

static void run_chat(const uint8_t *bytes, size_t n)
{
	run_history(&kind_chat, bytes, n);
}

static void run_conversation(const uint8_t *bytes, size_t n)
{
	run_history(&kind_talk, bytes, n);
}

const struct fuzz fuzz_pump = { .name = "pump", .open = open_pump, .run = run_pump };
const struct fuzz fuzz_sessions = { .name = "sessions", .open = open_sessions, .run = run_sessions };
const struct fuzz fuzz_chat = { .name = "chat", .open = open_chat, .run = run_chat };
const struct fuzz fuzz_conversation = { .name = "conversation", .run = run_conversation };
