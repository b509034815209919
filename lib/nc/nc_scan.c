/* The lines of nc -zv (nc.h): "nc: connect to localhost (::1) port 80 (tcp) failed: ..." for each address that did not answer,
 * "Connection to localhost (127.0.0.1) 80 port [tcp/http] succeeded!" for the one that did. The answers come port by port and
 * name the host as it was typed; which addresses it has, and which was tried last, earlier events say. */
#include "nc/nc_internal.h"

#include "base/num.h"

#include <stdio.h>
#include <string.h>

void nc_scan_resolved(struct nc *nc, const char *addrs)
{
	nc->addrs_n = 0;
	while (*addrs != '\0' && nc->addrs_n < NC_ADDRS) {
		struct nc_addr *one = &nc->addrs[nc->addrs_n++];
		size_t n = strcspn(addrs, ",");
		*one = (struct nc_addr){ 0 };
		snprintf(one->host, sizeof one->host, "%.*s", (int)n, addrs);
		addrs += n;
		addrs += strspn(addrs, ", ");
	}
}

static unsigned place_of(const struct nc *nc, const char *host)
{
	unsigned i = 0;
	while (i < nc->addrs_n && strcmp(nc->addrs[i].host, host) != 0)
		i++;
	return i;
}

void nc_scan_tried(struct nc *nc, const char *host, const char *port, const char *error)
{
	int64_t number = 0;
	unsigned i = place_of(nc, host);
	if (i == nc->addrs_n || num_int(port, 0, UINT16_MAX, &number, NULL) != 0)
		return;
	if (error == NULL)
		nc->tried[number] = (unsigned char)i;
	else
		snprintf(nc->addrs[i].why, sizeof nc->addrs[i].why, "failed: %s", error);
}

static size_t scan_add(char *buf, size_t cap, size_t len)
{
	return len + 1 < cap ? len + (size_t)snprintf(buf + len, cap - len, "\n") : len;
}

size_t nc_scan_answered(const struct nc *nc, char *buf, size_t cap, const char *port, bool open, const char *why)
{
	int64_t number = 0;
	size_t len = 0;
	unsigned n = num_int(port, 0, UINT16_MAX, &number, NULL) == 0 ? nc->addrs_n : 0;
	unsigned last = n == 0 ? 0 : nc->tried[number];
	for (unsigned i = 0; i < n && (i < last || (i == last && !open)); i++) {
		const struct nc_addr *one = &nc->addrs[i];
		len = len > 0 ? scan_add(buf, cap, len) : 0;
		len += nc_output_failed(nc, buf + len, cap - len, one->host, port, open && one->why[0] != '\0' ? one->why : why);
		len = len < cap ? len : cap - 1;
	}
	if (n > 0 && !open)
		return len;
	len = len > 0 ? scan_add(buf, cap, len) : 0;
	const char *addr = n > 0 ? nc->addrs[last].host : "";
	size_t more = open ? nc_output_succeeded(nc, buf + len, cap - len, addr, port)
			   : nc_output_failed(nc, buf + len, cap - len, addr, port, why);
	return len + more;
}
