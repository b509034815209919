/* Names of ports, read from /etc/services by ourselves: getservbyname asks a name service daemon through a socket, and an address
 * must be understood before any socket is opened. */
#include "base/portname.h"
#include "base/num.h"

#include <stdio.h>
#include <string.h>

enum { LINE_BYTES = 512 };

/* "80/tcp" for "tcp" is 80. */
static int port_of(const char *text, const char *proto)
{
	char number[8];
	const char *slash = strchr(text, '/');
	int64_t port = 0;
	if (slash == NULL || strcmp(slash + 1, proto) != 0 || (size_t)(slash - text) >= sizeof number)
		return -1;
	memcpy(number, text, (size_t)(slash - text));
	number[slash - text] = '\0';
	return num_int(number, 0, UINT16_MAX, &port, NULL) == 0 ? (int)port : -1;
}

/* One line: "name port/proto alias... # comment". */
static int port_in(char *line, const char *name, const char *proto)
{
	static const char blanks[] = " \t\r\n";
	char *rest = NULL;
	line[strcspn(line, "#")] = '\0';
	const char *first = strtok_r(line, blanks, &rest), *place = first == NULL ? NULL : strtok_r(NULL, blanks, &rest);
	int port = place == NULL ? -1 : port_of(place, proto);
	for (const char *word = first; port >= 0 && word != NULL; word = strtok_r(NULL, blanks, &rest))
		if (strcmp(word, name) == 0)
			return port;
	return -1;
}

int port_of_name(const char *name, const char *proto)
{
	char line[LINE_BYTES];
	int port = -1;
	FILE *file = fopen("/etc/services", "re");
	if (file == NULL)
		return -1;
	while (port < 0 && fgets(line, sizeof line, file) != NULL)
		port = port_in(line, name, proto);
	fclose(file);
	return port;
}
