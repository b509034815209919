/* Passwords where they must not be seen: in the words of a URL that reports, errors and arguments repeat. */
#ifndef BASE_REDACT_H
#define BASE_REDACT_H

#include <stddef.h>

/* A copy of text in which each password of a URL ("scheme://user:password@host") is ***, cut where out ends. A URL goes to the
 * next blank or quote. Rather too much is hidden than too little. Returns the length, out ends with NUL; cap > 0. */
size_t redact_text(char *out, size_t cap, const char *text, size_t n);
/* The same for a word that is nothing but a URL, or has one behind "--option=": it ends where the word ends. */
size_t redact_word(char *out, size_t cap, const char *word);

#endif
