/* TLS in a program that was built without it: one error. */
#include "tls/tls.h"

int tls_open(const struct run *run, void **shared, struct err *e)
{
	(void)run;
	(void)shared;
	return err_set(e, ERR_USAGE, 0, "--tls: this sockctl is built without TLS");
}

int tls_push(struct stream **top, const struct link *link, void *shared, struct err *e)
{
	(void)top;
	(void)link;
	(void)shared;
	(void)e;
	return 0;
}

void tls_stop(const struct run *run, void *takes)
{
	(void)run;
	(void)takes;
}

bool tls_facts(const struct stream *top, struct tls_facts *out)
{
	(void)top;
	(void)out;
	return false;
}

bool tls_unheard(const struct stream *top)
{
	(void)top;
	return false;
}

const char *tls_own_pin(const void *shared)
{
	(void)shared;
	return NULL;
}

bool tls_built(void)
{
	return false;
}
