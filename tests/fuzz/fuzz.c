#include "tests/fuzz/fuzz.h"

#include "base/text.h"
#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct fuzz *const fuzzers[] = { &fuzz_address, &fuzz_options, &fuzz_framer, &fuzz_line, &fuzz_json, &fuzz_clean,
	&fuzz_talk, &fuzz_proxy, &fuzz_header,
#ifdef SOCKCTL_TLS
	&fuzz_tls,
#endif
	&fuzz_record, &fuzz_regex, &fuzz_fault, &fuzz_telnet, &fuzz_pump, &fuzz_sessions, &fuzz_chat, &fuzz_conversation };
enum { FUZZERS = sizeof fuzzers / sizeof fuzzers[0], SHOWN = 4096 };

static const struct fuzz *fuzz;

void fuzz_check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s: %s\n", fuzz->name, what);
	abort();
}

void sim_fail(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

void sim_check(bool holds, const char *what)
{
	if (!holds)
		sim_fail("%s", what);
}

void fuzz_check_shown(const char *text)
{
	char shown[SHOWN];
	size_t n = text_show(shown, sizeof shown, text, strlen(text)); /* as report/out.c does when it prints */
	const unsigned char *at = (const unsigned char *)shown;
	fuzz_check(n < sizeof shown && strlen(shown) == n, "a text of a wrong length");
	while (n > 0) {
		uint32_t cp = 0;
		int len = utf8_decode(at, n, &cp);
		fuzz_check(len > 0 && text_printable(cp), "a byte that a terminal would obey is in a text for people");
		at += len;
		n -= (size_t)len;
	}
}

bool fuzz_word(const uint8_t *bytes, size_t n, size_t *at, char separator, char *out, size_t cap)
{
	size_t len = 0;
	if (*at >= n)
		return false;
	while (*at < n && bytes[*at] != (uint8_t)separator) {
		if (len + 1 < cap && bytes[*at] != 0)
			out[len++] = (char)bytes[*at];
		++*at;
	}
	++*at;
	out[len] = '\0';
	return true;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *slash = strrchr((*argv)[0], '/'), *name = slash != NULL ? slash + 1 : (*argv)[0];
	(void)argc;
	for (size_t i = 0; i < FUZZERS; i++)
		if (strcmp(fuzzers[i]->name, name) == 0)
			fuzz = fuzzers[i];
	for (size_t i = 0; fuzz == NULL && i < FUZZERS; i++)
		puts(fuzzers[i]->name);
	if (fuzz == NULL)
		exit(strcmp(name, "list") == 0 ? 0 : 2);
	ground_open();
	if (fuzz->open != NULL)
		fuzz->open();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	fuzz->run(bytes, n);
	return 0;
}
