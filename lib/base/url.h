/* URLs that users type: hiding passwords where reports, errors and arguments repeat them. */
#ifndef BASE_URL_H
#define BASE_URL_H

#include <stdbool.h>
#include <stddef.h>

/* A copy of text in which each password of a URL ("scheme://user:password@host") is ***, cut where out ends. A URL ends at the
 * next blank or quote. In doubt more is hidden. Returns the length, out ends with NUL; cap > 0. */
size_t redact_text(char *out, size_t cap, const char *text, size_t n);
/* The same for a word that is only a URL, or has one after "--option=": it ends where the word ends. */
size_t redact_word(char *out, size_t cap, const char *word);

/* Of a protocol that sockctl does not speak. */
struct foreign_url {
	const char *scheme; /* "http"; static */
	char ours[300];	    /* what to type instead: "tcp://example.org:80", not yet fit for showing */
};

/* False: no URL, or of a scheme that is not known. The user, path and query of word are left out. */
bool url_foreign(struct foreign_url *out, const char *word);

#endif
