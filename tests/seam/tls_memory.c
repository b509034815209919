/* OpenSSL's allocations pass the gate as well, apart from ours: put in as soon as its libraries are loaded, before they allocate.
 */
#include "base/sys.h"

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <stdlib.h>

static void *gated_realloc(void *takes, size_t bytes, const char *file, int line)
{
	(void)file;
	(void)line;
	return sys_allowed(SYS_CRYPTO) ? realloc(takes, bytes > 0 ? bytes : 1) : NULL;
}

static void *gated_malloc(size_t bytes, const char *file, int line)
{
	return gated_realloc(NULL, bytes, file, line);
}

static void gated_free(void *takes, const char *file, int line)
{
	(void)file;
	(void)line;
	free(takes);
}

int __real_tls_lib_open(struct err *e);
int __wrap_tls_lib_open(struct err *e);

int __wrap_tls_lib_open(struct err *e)
{
	int rc = __real_tls_lib_open(e);
	void *lib = rc == 0 ? dlopen("libcrypto.so.3", RTLD_LAZY | RTLD_NOLOAD) : NULL;
	int (*set)(CRYPTO_malloc_fn, CRYPTO_realloc_fn, CRYPTO_free_fn) = NULL;
	if (lib != NULL)
		*(void **)&set = dlsym(lib, "CRYPTO_set_mem_functions");
	if (set != NULL)
		set(gated_malloc, gated_realloc, gated_free); /* without effect from the second time on */
	return rc;
}
