/* Names of ports, as /etc/services has them. */
#ifndef BASE_SERVNAME_H
#define BASE_SERVNAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The port that this name, or alias, has for "tcp" or "udp"; -1: there is none. */
int port_of_name(const char *name, const char *proto);

/* The name of this port; false, and out as it was: it has none. */
bool name_of_port(uint16_t port, const char *proto, char *out, size_t cap);

#endif
