/* Memory: zeroed, through the seam, NULL when there is none. A caller that gets NULL fails its own connection, never the run. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_new(size_t bytes);		   /* zeroed */
void *mem_raw(size_t bytes);		   /* not zeroed: blocks that are written before they are read */
void *mem_grow(void *takes, size_t bytes); /* as realloc; on NULL the old memory is still the caller's */
char *mem_text(const char *text);	   /* a copy */
void mem_free(void *takes);		   /* NULL is fine */
void mem_trim(void);			   /* returns freed memory to the system, which the C library would keep */

#endif
