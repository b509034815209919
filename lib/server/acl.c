/* Lists of networks (acl.h): read once at start, then only compared, one rule after the other.
 *
 * An entry that looks like an address must be one: "10.0.0.300" is a typing error, not a name for DNS. Bits of a network beyond
 * its prefix are masked off. A v4-mapped address is IPv4 before it comes here (sockaddr.c), so a rule for ::/0 means IPv6
 * alone. */
#include "server/acl.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/sys.h"
#include "base/text.h"
#include "net/resolve.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { FILE_MOST_BYTES = 4 * 1024 * 1024, ENTRY_MOST = 256, FIRST_RULES = 8 };

/* The place of an entry, for errors. */
struct entry {
	const char *option, *text, *file; /* file NULL: on the command line */
	unsigned line;
};

static int acl_refuse(const struct entry *at, const char *sentence, struct err *e)
{
	char text[100], file[160];
	text_show(text, sizeof text, at->text, strlen(at->text));
	if (at->file == NULL)
		return err_set(e, ERR_USAGE, 0, "%s \"%s\": %s", at->option, text, sentence);
	text_show(file, sizeof file, at->file, strlen(at->file));
	return err_set(e, ERR_USAGE, 0, "%s: %s:%u: \"%s\": %s", at->option, file, at->line, text, sentence);
}

static int no_memory(const struct entry *at, struct err *e)
{
	return err_set(e, ERR_LOCAL, 0, "%s: no memory for the list", at->option);
}

size_t acl_bytes(const struct sa *sa, unsigned char out[16])
{
	struct sockaddr_storage ss;
	sa_to(sa, &ss);
	if (sa->family == AF_INET) {
		memcpy(out, &((const struct sockaddr_in *)(const void *)&ss)->sin_addr, 4);
		return 4;
	}
	if (sa->family != AF_INET6)
		return 0;
	memcpy(out, &((const struct sockaddr_in6 *)(const void *)&ss)->sin6_addr, 16);
	return 16;
}

static bool same_prefix(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) & (0xff00U >> rest)) == 0;
}

static int acl_add(struct acl *l, const struct entry *at, const struct sa *sa, int bits, struct err *e)
{
	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? FIRST_RULES : l->cap * 2;
		struct acl_rule *v = mem_grow(l->v, cap * sizeof *v);
		if (v == NULL)
			return no_memory(at, e);
		l->v = v;
		l->cap = cap;
	}
	struct acl_rule *rule = &l->v[l->n++];
	*rule = (struct acl_rule){ .family = sa->family };
	size_t whole = 8 * acl_bytes(sa, rule->net);
	rule->bits = (uint8_t)(bits < 0 ? whole : (size_t)bits);
	return 0;
}

static int add_cidr(struct acl *l, const struct entry *at, const char *slash, struct err *e)
{
	char host[SA_TEXT];
	struct sa sa;
	int64_t bits = 0;
	size_t n = (size_t)(slash - at->text);
	if (n >= sizeof host)
		return acl_refuse(at, "expected ADDRESS/BITS", e);
	memcpy(host, at->text, n);
	host[n] = '\0';
	if (strchr(host, '%') != NULL || !sa_parse(&sa, host, 0))
		return acl_refuse(at, "expected an IPv4 or IPv6 address before the /", e);
	bool mapped = sa.family == AF_INET && strchr(host, ':') != NULL; /* ::ffff:10.0.0.0/104 is 10.0.0.0/8 */
	int least = mapped ? 96 : 0, most = sa.family == AF_INET && !mapped ? 32 : 128;
	char sentence[80];
	snprintf(sentence, sizeof sentence, "expected %d to %d bits after the /", least, most);
	if (num_int(slash + 1, least, most, &bits, NULL) != 0)
		return acl_refuse(at, sentence, e);
	return acl_add(l, at, &sa, (int)bits - least, e);
}

static int add_name(struct acl *l, const struct run *run, const struct entry *at, struct err *e)
{
	struct addr a = { .kind = ADDR_TCP, .fd = -1 };
	struct sa list[RESOLVE_MOST];
	size_t len = strlen(at->text);
	if (len >= sizeof a.host || at->text[strcspn(at->text, " \t\"#%/<>?@[\\]:,")] != '\0')
		return acl_refuse(at, "expected an address, ADDRESS/BITS, a name or @FILE", e);
	memcpy(a.host, at->text, len + 1);
	text_show(a.text, sizeof a.text, at->text, len);
	int n = resolve_wait(run, &a, list, RESOLVE_MOST, e);
	if (n < 0)
		return err_prefix(e, "%s", at->option);
	for (int i = 0; i < n; i++)
		if (acl_add(l, at, &list[i], -1, e) != 0)
			return -1;
	return 0;
}

static int add_entry(struct acl *l, const struct run *run, const struct entry *at, struct err *e)
{
	struct sa sa;
	const char *slash = strchr(at->text, '/');
	if (*at->text == '\0')
		return acl_refuse(at, "expected an address, ADDRESS/BITS, a name or @FILE", e);
	if (slash != NULL)
		return add_cidr(l, at, slash, e);
	if (strchr(at->text, '%') != NULL)
		return acl_refuse(at, "an address without %interface is expected here", e);
	if (sa_parse(&sa, at->text, 0))
		return acl_add(l, at, &sa, -1, e);
	if (strchr(at->text, ':') != NULL || at->text[strspn(at->text, "0123456789.")] == '\0')
		return acl_refuse(at, "this is no IPv4 or IPv6 address", e);
	return add_name(l, run, at, e);
}

/* One line, in place: without its comment and the blanks around the entry. */
static char *acl_trim(char *line)
{
	line[strcspn(line, "#\r")] = '\0';
	line += strspn(line, " \t");
	size_t n = strlen(line);
	while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'))
		line[--n] = '\0';
	return line;
}

static int add_lines(struct acl *l, const struct run *run, struct entry *at, char *text, size_t len, struct err *e)
{
	if (memchr(text, '\0', len) != NULL) {
		at->text = "";
		at->line = 1;
		return acl_refuse(at, "a text file is expected, and this holds a NUL byte", e);
	}
	for (char *line = text; line != NULL;) {
		char *end = strchr(line, '\n');
		if (end != NULL)
			*end = '\0';
		at->text = acl_trim(line);
		at->line++;
		if (*at->text != '\0' && add_entry(l, run, at, e) != 0)
			return -1;
		line = end == NULL ? NULL : end + 1;
	}
	return 0;
}

/* The whole file with a NUL after it, or NULL with e. */
static char *read_all(const struct entry *at, int fd, size_t *len, struct err *e)
{
	size_t cap = 4096;
	char *text = mem_raw(cap);
	for (*len = 0; text != NULL;) {
		struct iovec v = { text + *len, cap - 1 - *len };
		ssize_t n = sys_readv(fd, &v, 1);
		if (n < 0 && sys_again())
			continue;
		if (n < 0)
			err_set(e, ERR_USAGE, errno, "%s: read %s", at->option, at->file);
		else if (n > 0 && *len + (size_t)n > FILE_MOST_BYTES)
			err_set(e, ERR_USAGE, 0, "%s: %s is longer than 4 MiB", at->option, at->file);
		if (n < 0 || *len + (size_t)n > FILE_MOST_BYTES)
			break;
		*len += (size_t)n;
		text[*len] = '\0';
		if (n == 0)
			return text;
		if (*len + 1 < cap)
			continue;
		char *more = mem_grow(text, cap *= 2);
		if (more == NULL) {
			no_memory(at, e);
			break;
		}
		text = more;
	}
	if (text == NULL)
		no_memory(at, e);
	mem_free(text);
	return NULL;
}

static int add_file(struct acl *l, const struct run *run, const char *option, const char *path, struct err *e)
{
	struct entry at = { .option = option, .file = path, .text = "" };
	size_t len = 0;
	int fd = sys_open(path, O_RDONLY, 0);
	if (fd < 0)
		return err_set(e, ERR_USAGE, errno, "%s: open %s", option, path);
	char *text = read_all(&at, fd, &len, e);
	sys_close(fd);
	if (text == NULL)
		return -1;
	int r = add_lines(l, run, &at, text, len, e);
	mem_free(text);
	return r;
}

int acl_read(struct acl *l, const struct run *run, const char *option, const struct opt_list *texts, struct err *e)
{
	for (size_t i = 0; i < texts->n; i++) {
		const struct entry at = { .option = option, .text = texts->v[i] };
		int r = *at.text == '@' ? add_file(l, run, option, at.text + 1, e) : add_entry(l, run, &at, e);
		if (r != 0)
			return -1;
	}
	return 0;
}

void acl_free(struct acl *l)
{
	mem_free(l->v);
	*l = (struct acl){ 0 };
}

bool acl_has(const struct acl *l, const struct sa *sa)
{
	unsigned char net[16] = { 0 };
	if (l->n == 0 || acl_bytes(sa, net) == 0)
		return false;
	for (const struct acl_rule *rule = l->v; rule < l->v + l->n; rule++)
		if (rule->family == sa->family && same_prefix(net, rule->net, rule->bits))
			return true;
	return false;
}
