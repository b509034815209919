/* Shared by nc_output.c and nc_scan.c. */
#ifndef NC_NC_INTERNAL_H
#define NC_NC_INTERNAL_H

#include "nc/nc.h"

/* nc's lines, written as snprintf does. addr: "" for none. */
size_t nc_output_succeeded(const struct nc *nc, char *buf, size_t cap, const char *addr, const char *port);
size_t nc_output_failed(const struct nc *nc, char *buf, size_t cap, const char *addr, const char *port, const char *how);

void nc_scan_resolved(struct nc *nc, const char *addrs); /* "::1, 127.0.0.1": of the host */
/* An address is tried, or (error is not NULL) has failed. */
void nc_scan_tried(struct nc *nc, const char *host, const char *port, const char *error);
size_t nc_scan_answered(const struct nc *nc, char *buf, size_t cap, const char *port, bool open, const char *why);

#endif
