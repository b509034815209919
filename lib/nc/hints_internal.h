/* Shared by hints.c and hints_words.c. */
#ifndef NC_HINTS_INTERNAL_H
#define NC_HINTS_INTERNAL_H

#include "base/err.h"

/* "TYPED is WHOSE word: ADVICE", ERR_USAGE; returns -1. */
int hints_refuse(const char *typed, const char *whose, const char *advice, struct err *e);

#endif
