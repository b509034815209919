/* The words of errors, and the one rule that decides which of several is reported (err.h). */
#include "base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const struct err_row err_rows[] = {
	{ ERR_OK, "ok", "everything asked for was done: each byte sent was acknowledged, each byte received was written" },
	{ ERR_NETWORK, "network", "a network failure without a class of its own" },
	{ ERR_USAGE, "usage", "a bad option, address, number or file, found before anything was sent" },
	{ ERR_RESOLVE, "resolve", "the name could not be resolved" },
	{ ERR_CONNECT, "connect", "refused or unreachable" },
	{ ERR_TIMEOUT, "timeout", "connecting, silence, one connection or the whole run took longer than allowed" },
	{ ERR_TLS, "tls", "the TLS handshake or the verification failed" },
	{ ERR_LOST, "lost", "bytes were lost: reset by the peer, a send cut short, a client cut by the drain deadline" },
	{ ERR_MISMATCH, "mismatch", "an expectation failed" },
	{ ERR_LOCAL, "local", "stdin, stdout, a file, a child process or memory failed" },
	{ ERR_LISTEN, "listen", "the address could not be bound" },
	{ ERR_BUG, "bug", "an internal inconsistency; please report it" },
	{ ERR_PIPE, "pipe", "the reader of stdout went away" },
	{ 0, NULL, NULL },
};

int err_set(struct err *e, enum err_class cls, int sys, const char *fmt, ...)
{
	if (e == NULL)
		return -1;
	char words[sizeof e->what]; /* fmt's arguments may point into e */
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	size_t used = n < 0 ? 0 : (size_t)n < sizeof words ? (size_t)n : sizeof words - 1;
	words[used] = '\0';
	if (sys != 0)
		snprintf(words + used, sizeof words - used, ": %s", strerror(sys));
	e->cls = cls;
	e->sys = sys;
	memcpy(e->what, words, sizeof words);
	return -1;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	if (e == NULL)
		return -1;
	char words[sizeof e->what];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	size_t used = n < 0 ? 0 : (size_t)n < sizeof words ? (size_t)n : sizeof words - 1;
	size_t room = sizeof words - used;
	if (room > 3) {
		size_t old = strnlen(e->what, sizeof e->what);
		if (old > room - 3)
			old = room - 3;
		memcpy(words + used, ": ", 2);
		memcpy(words + used + 2, e->what, old);
		words[used + 2 + old] = '\0';
	}
	memcpy(e->what, words, sizeof words);
	return -1;
}

char *why_text(const struct why *why, const char *peer, char *out, size_t cap)
{
	const char *name = why->flags & OF_PEER ? (peer != NULL ? peer : "the peer") : "";
	snprintf(out, cap, "%s%s%s", why->text, *name != '\0' ? " " : "", name);
	return out;
}

int err_why(struct err *e, const struct why *why, const char *peer)
{
	char words[sizeof e->what];
	return err_set(e, why->cls, why->sys, "%s", why_text(why, peer, words, sizeof words));
}

void err_keep(struct err *run, const struct err *now)
{
	if (now->cls == ERR_OK)
		return;
	bool wins = now->cls == ERR_MISMATCH || now->cls == ERR_BUG;
	bool held = run->cls == ERR_MISMATCH || run->cls == ERR_BUG;
	if (run->cls == ERR_OK || (wins && !held))
		*run = *now;
}

const char *err_class_name(enum err_class cls)
{
	for (const struct err_row *r = err_rows; r->name != NULL; r++)
		if (r->cls == cls)
			return r->name;
	return "unknown";
}
