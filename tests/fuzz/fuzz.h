/* Fuzzers: everything that parses or frames what others wrote, and whole histories whose chance is the fuzzer's bytes.
 *
 * All of them are one program, which is called by the name of the one that is meant (a link); libFuzzer's own options hold for
 * each. A target is a function in a file of its own and a row in fuzz.c; what it found interesting stands in corpus/NAME. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fuzz {
	const char *name;
	void (*open)(void); /* once; NULL: nothing to do */
	void (*run)(const uint8_t *bytes, size_t n);
};
extern const struct fuzz fuzz_address, fuzz_options, fuzz_framer, fuzz_line, fuzz_json, fuzz_clean, fuzz_talk, fuzz_proxy,
	fuzz_tls, fuzz_header, fuzz_record, fuzz_regex, fuzz_fault, fuzz_telnet, fuzz_pump, fuzz_sessions, fuzz_chat,
	fuzz_conversation;

/* Ends the process, if it does not hold. */
void fuzz_check(bool holds, const char *what);
/* Once it is printed, one line that a terminal may be given. */
void fuzz_check_shown(const char *text);

/* The bytes up to the next separator, as a text of at most cap - 1 bytes without NUL in it; *at goes behind the separator. False:
 * there are none left. */
bool fuzz_word(const uint8_t *bytes, size_t n, size_t *at, char separator, char *out, size_t cap);

#endif
