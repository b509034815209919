/* URLs that users type: hiding passwords where reports, errors and arguments repeat them. */
#ifndef BASE_URL_H
#define BASE_URL_H

#include <stddef.h>

/* A copy of text in which each password of a URL ("scheme://user:password@host") is ***, cut where out ends. A URL ends at the
 * next blank or quote. In doubt more is hidden. Returns the length, out ends with NUL; cap > 0. */
size_t redact_text(char *out, size_t cap, const char *text, size_t n);
/* The same for a word that is only a URL, or has one after "--option=": it ends where the word ends. */
size_t redact_word(char *out, size_t cap, const char *word);

#endif
