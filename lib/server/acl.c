/* Lists of networks (acl.h): read at start, and again when that is asked for; compared one rule after the other.
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
#include "sandbox/sandbox_opts.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#ifndef O_PATH
#define O_PATH O_RDONLY
#endif

enum { FILE_MOST_BYTES = 4 * 1024 * 1024, ENTRY_MOST = 256, FIRST_RULES = 8 };

struct reading {
	const struct run *run;
	struct acl_past *past;
};

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

/* Room for one more of that size: v, or where it is now; NULL: no memory, and v is as it was. */
static void *acl_grow(void *v, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap == 0 ? FIRST_RULES : *cap * 2;
	if (n < *cap)
		return v;
	v = mem_grow(v, more * size);
	if (v != NULL)
		*cap = more;
	return v;
}

static int acl_add(struct acl *l, const struct entry *at, const struct sa *sa, int bits, struct err *e)
{
	struct acl_rule *v = acl_grow(l->v, l->n, &l->cap, sizeof *v);
	if (v == NULL)
		return no_memory(at, e);
	l->v = v;
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

/* A later reading asks no resolver, which might take long: the name must have been in a list before. */
static int add_known(struct acl *l, const struct acl_past *past, const struct entry *at, struct err *e)
{
	bool known = false;
	for (const struct acl_name *name = past->names; name < past->names + past->names_n; name++) {
		if (strcmp(name->text, at->text) != 0)
			continue;
		known = true;
		if (acl_add(l, at, &name->sa, -1, e) != 0)
			return -1;
	}
	return known ? 0 : acl_refuse(at, "names are resolved at start only; expected an address", e);
}

static int keep_name(struct acl_past *past, const struct entry *at, const struct sa *sa, struct err *e)
{
	struct acl_name *v = acl_grow(past->names, past->names_n, &past->names_cap, sizeof *v);
	char *text = v == NULL ? NULL : mem_text(at->text);
	if (v != NULL)
		past->names = v;
	if (text == NULL)
		return no_memory(at, e);
	v[past->names_n++] = (struct acl_name){ .sa = *sa, .text = text };
	return 0;
}

static int add_name(struct acl *l, const struct reading *r, const struct entry *at, struct err *e)
{
	struct addr a = { .kind = ADDR_TCP, .fd = -1 };
	struct sa list[RESOLVE_MOST];
	size_t len = strlen(at->text);
	if (len >= sizeof a.host || at->text[strcspn(at->text, " \t\"#%/<>?@[\\]:,")] != '\0')
		return acl_refuse(at, "expected an address, ADDRESS/BITS, a name or @FILE", e);
	if (r->past->later)
		return add_known(l, r->past, at, e);
	memcpy(a.host, at->text, len + 1);
	text_show(a.text, sizeof a.text, at->text, len);
	int n = resolve_wait(r->run, &a, list, RESOLVE_MOST, e);
	if (n < 0)
		return err_prefix(e, "%s", at->option);
	for (int i = 0; i < n; i++)
		if (acl_add(l, at, &list[i], -1, e) != 0 || keep_name(r->past, at, &list[i], e) != 0)
			return -1;
	return 0;
}

static int add_entry(struct acl *l, const struct reading *r, const struct entry *at, struct err *e)
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
	return add_name(l, r, at, e);
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

static int add_lines(struct acl *l, const struct reading *r, struct entry *at, char *text, size_t len, struct err *e)
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
		if (*at->text != '\0' && add_entry(l, r, at, e) != 0)
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

/* The folder of a regular file stays open, and the file's name is looked up in there again: another one may have taken it. */
static int keep_file(const struct reading *r, const struct entry *at, bool regular, struct err *e)
{
	struct acl_past *past = r->past;
	struct acl_file *v = acl_grow(past->files, past->files_n, &past->files_cap, sizeof *v);
	const char *slash = strrchr(at->file, '/');
	char *folder = v == NULL ? NULL : mem_text(slash != NULL ? at->file : ".");
	if (v != NULL)
		past->files = v;
	if (folder == NULL)
		return no_memory(at, e);
	if (slash != NULL)
		folder[slash == at->file ? 1 : slash - at->file] = '\0';
	int fd = regular ? sys_open(folder, O_PATH | O_DIRECTORY, 0) : -1;
	mem_free(folder);
	v[past->files_n++] = (struct acl_file){ .path = at->file, .folder = fd };
	if (fd >= 0)
		sandbox_run_reread(r->run, fd);
	return 0;
}

static bool is_regular(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static int open_again(const struct acl_past *past, const struct entry *at, struct err *e)
{
	const char *slash = strrchr(at->file, '/');
	const struct acl_file *file = past->files, *end = past->files + past->files_n;
	while (file != end && file->path != at->file)
		file++;
	bool kept = file != end && file->folder >= 0;
	int fd = !kept ? -1 : sys_openat(file->folder, slash != NULL ? slash + 1 : at->file, O_RDONLY | O_NONBLOCK);
	int sys = errno;
	if (fd >= 0 && is_regular(fd))
		return fd;
	sys_close(fd);
	if (!kept || fd >= 0)
		return err_set(
			e, ERR_USAGE, 0, "%s: only a regular file can be read again, and %s is none", at->option, at->file);
	return err_set(e, ERR_USAGE, sys, "%s: open %s", at->option, at->file);
}

static int add_file(struct acl *l, const struct reading *r, const char *option, const char *path, struct err *e)
{
	struct entry at = { .option = option, .file = path, .text = "" };
	size_t len = 0;
	int fd = r->past->later ? open_again(r->past, &at, e) : sys_open(path, O_RDONLY, 0);
	if (fd < 0)
		return r->past->later ? -1 : err_set(e, ERR_USAGE, errno, "%s: open %s", option, path);
	bool regular = is_regular(fd);
	char *text = read_all(&at, fd, &len, e);
	sys_close(fd);
	if (text == NULL)
		return -1;
	int rc = add_lines(l, r, &at, text, len, e);
	mem_free(text);
	return rc == 0 && !r->past->later ? keep_file(r, &at, regular, e) : rc;
}

int acl_read(struct acl *l, const struct run *run, struct acl_past *past, const char *option, const struct opt_list *texts,
	struct err *e)
{
	const struct reading r = { .run = run, .past = past };
	for (size_t i = 0; i < texts->n; i++) {
		const struct entry at = { .option = option, .text = texts->v[i] };
		int rc = *at.text == '@' ? add_file(l, &r, option, at.text + 1, e) : add_entry(l, &r, &at, e);
		if (rc != 0)
			return -1;
	}
	return 0;
}

void acl_past_free(struct acl_past *past)
{
	for (size_t i = 0; i < past->names_n; i++)
		mem_free(past->names[i].text);
	for (size_t i = 0; i < past->files_n; i++)
		sys_close(past->files[i].folder);
	mem_free(past->names);
	mem_free(past->files);
	*past = (struct acl_past){ 0 };
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
