/* Names of ports, as /etc/services has them. */
#ifndef BASE_PORTNAME_H
#define BASE_PORTNAME_H

#include <stdint.h>

/* The port that this name, or alias, has for "tcp" or "udp"; -1: there is none. */
int port_of_name(const char *name, const char *proto);

#endif
