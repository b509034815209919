/* Loading OpenSSL and its functions. Built with -DTLS_LINKED (a static program) the library is linked, and there is nothing to do
 * here. */
#include "tls/tls_lib.h"

#ifdef TLS_LINKED

int tls_lib_open(struct err *e)
{
	(void)e;
	return 0;
}

#else

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

/* NOLINTBEGIN(bugprone-macro-parentheses): parameters are a list of them */
#define TLS_F(result, name, parameters, arguments) static result(*p_##name) parameters;
#define TLS_V(name, parameters, arguments) static void(*p_##name) parameters;
/* NOLINTEND(bugprone-macro-parentheses) */
#include "tls/tls_lib.def"
#undef TLS_F
#undef TLS_V

/* Hidden in the program: libssl's own calls must never come to them. */
#define HIDDEN __attribute__((visibility("hidden")))
#define TLS_F(result, name, parameters, arguments)                                                                               \
	HIDDEN result name parameters                                                                                            \
	{                                                                                                                        \
		return p_##name arguments;                                                                                       \
	}
#define TLS_V(name, parameters, arguments)                                                                                       \
	HIDDEN void name parameters                                                                                              \
	{                                                                                                                        \
		p_##name arguments;                                                                                              \
	}
#include "tls/tls_lib.def"
#undef TLS_F
#undef TLS_V

static const struct {
	const char *name;
	void *place; /* of a pointer to a function, which POSIX lets dlsym fill */
} symbols[] = {
#define TLS_F(result, name, parameters, arguments) { #name, &p_##name },
#define TLS_V(name, parameters, arguments) { #name, &p_##name },
#include "tls/tls_lib.def"
#undef TLS_F
#undef TLS_V
};

#ifdef __APPLE__
static const char *const files[] = { "libssl.3.dylib" };
#else
static const char *const files[] = { "libssl.so.3", "libssl.so" };
#endif

/* libcrypto comes along: libssl needs it, so its names are found through libssl, too. */
static bool find_all(void *lib)
{
	for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
		void *found = dlsym(lib, symbols[i].name);
		if (found == NULL)
			return false;
		memcpy(symbols[i].place, &found, sizeof found);
	}
	return OpenSSL_version_num() >> 28 >= 3;
}

int tls_lib_open(struct err *e)
{
	static bool open;
	for (size_t i = 0; i < sizeof files / sizeof files[0] && !open; i++) {
		void *lib = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
		open = lib != NULL && find_all(lib);
		if (!open && lib != NULL)
			dlclose(lib);
	}
	return open ? 0 : err_set(e, ERR_USAGE, 0, "--tls: TLS needs libssl 3 (OpenSSL), which is not on this machine");
}

#endif
