/* Names of ports, read directly from /etc/services: getservbyname asks a name service daemon through a socket, and an address
 * must be parsed before any socket is opened. */
#include "base/servname.h"
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

static const char blanks[] = " \t\r\n";

/* The beginning of a line, "name port/proto"; *rest: "alias... # comment", without the comment. -1: no such line. */
static int servname_entry(char *line, const char *proto, const char **name, char **rest)
{
	line[strcspn(line, "#")] = '\0';
	*name = strtok_r(line, blanks, rest);
	const char *place = *name == NULL ? NULL : strtok_r(NULL, blanks, rest);
	return place == NULL ? -1 : port_of(place, proto);
}

static int port_in(char *line, const char *name, const char *proto)
{
	char *rest = NULL;
	const char *first;
	int port = servname_entry(line, proto, &first, &rest);
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

bool name_of_port(uint16_t port, const char *proto, char *out, size_t cap)
{
	char line[LINE_BYTES], *rest = NULL;
	const char *name = NULL;
	bool found = false;
	FILE *file = fopen("/etc/services", "re");
	while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
		found = servname_entry(line, proto, &name, &rest) == (int)port;
	if (found)
		snprintf(out, cap, "%s", name);
	if (file != NULL)
		fclose(file);
	return found;
}
