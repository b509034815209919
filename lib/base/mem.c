/* Every allocation of the program passes here, so that a test build can fail each one (sys.h). */
#include "base/mem.h"
#include "base/sys.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdlib.h>
#include <string.h>

void *mem_new(size_t bytes)
{
	return sys_allowed(SYS_MEMORY) ? calloc(1, bytes) : NULL;
}

void *mem_raw(size_t bytes)
{
	return sys_allowed(SYS_MEMORY) ? malloc(bytes) : NULL;
}

void *mem_grow(void *takes, size_t bytes)
{
	return sys_allowed(SYS_MEMORY) ? realloc(takes, bytes) : NULL;
}

char *mem_text(const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = mem_raw(n);
	if (copy != NULL)
		memcpy(copy, text, n);
	return copy;
}

void mem_free(void *takes)
{
	free(takes);
}

void mem_trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}
