/* Input that ends exactly where memory ends: a parser that looks one byte too far is killed on the spot, with any
 * compiler and without a sanitizer. One guard holds one input; a parser of two takes two.
 *
 *	struct guard g = { 0 };
 *	parse(guard_bytes(&g, "ab", 2), 2);
 *	parse_text(guard_text(&g, "ab"));
 *	guard_free(&g);
 */
#ifndef TESTS_GUARD_H
#define TESTS_GUARD_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guard { /* zeroed before first use */
	unsigned char *pages;
	size_t usable, mapped;
};

static inline void guard_free(struct guard *g)
{
	if (g->pages != NULL)
		munmap(g->pages, g->mapped);
	*g = (struct guard){ 0 };
}

/* A writable copy of n bytes, or n zeros for NULL; it is valid until the guard is used again. Never NULL. */
static inline void *guard_bytes(struct guard *g, const void *bytes, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), usable = (n / page + 1) * page;
	if (g->usable < usable) {
		guard_free(g);
		void *pages = mmap(NULL, usable + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (pages == MAP_FAILED)
			abort();
		*g = (struct guard){ pages, usable, usable + page };
		if (mprotect(g->pages + usable, page, PROT_NONE) != 0)
			abort();
	}
	unsigned char *at = g->pages + g->usable - n;
	if (bytes == NULL)
		memset(at, 0, n);
	else
		memmove(at, bytes, n);
	return at;
}

/* The same with the NUL as the last byte that may be touched. */
static inline char *guard_text(struct guard *g, const char *text)
{
	return guard_bytes(g, text, strlen(text) + 1);
}

#endif
