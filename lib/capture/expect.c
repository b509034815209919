/* Expectations (expect.h): an observer that compares received bytes with a text, a file, a length or a sum.
 *
 * The file is read again piece by piece with pread as bytes come, so that all connections share one descriptor. The first
 * difference is kept with a few bytes of both sides; bytes after it are not compared. */
#include "capture/expect.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/sys.h"
#include "base/text.h"
#include "stream/observer.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { SHOW_BYTES = 4, SHOW_MOST = 8, PIECE_BYTES = 16384 };

static int set_text(void *block, const char *text, struct err *e)
{
	struct expect_conf *conf = block;
	mem_free(conf->text);
	conf->text = mem_new(strlen(text) + 1);
	if (conf->text == NULL)
		return err_set(e, ERR_LOCAL, ENOMEM, "keep what is expected");
	long n = text_unescape(conf->text, text, e);
	conf->text_len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? -1 : 0;
}

static int set_bytes(void *block, const char *text, struct err *e)
{
	struct expect_conf *conf = block;
	conf->has_bytes = true;
	return num_size(text, &conf->bytes, e);
}

static int set_sum(void *block, const char *text, struct err *e)
{
	struct expect_conf *conf = block;
	conf->has_sum = true;
	if (sha256_parse(conf->sum, text) == 0)
		return 0;
	char shown[80];
	text_show(shown, sizeof shown, text, strlen(text));
	return err_set(e, ERR_USAGE, 0, "got \"%s\", expected 64 hexadecimal digits", shown);
}

static const struct opt rows[] = {
	{ .name = "expect",
		.kind = OPT_HOOK,
		.hook = set_text,
		.arg = "STRING",
		.help = "everything received must be STRING",
		.man = "Everything received must equal STRING, in which \\n \\r \\t \\0 \\\\ \\\" and \\xHH stand for bytes; "
		       "otherwise the exit status is 8 and the error says where it differs, counting bytes from 0. In a server "
		       "this holds for each client. The connection is closed as soon as an unexpected byte comes; missing bytes are "
		       "reported at its end, whatever ended it." },
	{ .name = "expect-file",
		.kind = OPT_TEXT,
		.off = offsetof(struct expect_conf, file),
		.arg = "FILE",
		.help = "everything received must be the contents of FILE",
		.man = "As --expect, with the contents of a regular file." },
	{ .name = "expect-bytes",
		.kind = OPT_HOOK,
		.hook = set_bytes,
		.arg = "SIZE",
		.help = "exactly SIZE bytes must be received",
		.man = "Exactly SIZE bytes must be received. May be combined with --expect-sha256." },
	{ .name = "expect-sha256",
		.kind = OPT_HOOK,
		.hook = set_sum,
		.arg = "HEX",
		.help = "the SHA-256 of everything received must be HEX",
		.man = "Everything received must have this SHA-256 sum, written as 64 hexadecimal digits." },
	{ 0 },
};

static int expect_check(void *block, struct err *e)
{
	const struct expect_conf *conf = block;
	const char *other = conf->has_bytes ? "--expect-bytes" : conf->has_sum ? "--expect-sha256" : NULL;
	if (conf->text != NULL && conf->file != NULL)
		return err_set(e, ERR_USAGE, 0, "--expect and --expect-file cannot be used together");
	if ((conf->text != NULL || conf->file != NULL) && other != NULL)
		return err_set(e, ERR_USAGE, 0, "%s and %s cannot be used together",
			conf->text != NULL ? "--expect" : "--expect-file", other);
	return 0;
}

static void free_conf(void *block)
{
	mem_free(((struct expect_conf *)block)->text);
}

const struct opt_group expect_opts = { .title = "Expectations",
	.size = sizeof(struct expect_conf),
	.rows = rows,
	.with = WITH_PAYLOAD,
	.check = expect_check,
	.free = free_conf };

bool expect_wanted(const struct expect_conf *conf)
{
	return conf->text != NULL || conf->file != NULL || conf->has_bytes || conf->has_sum;
}

static int open_file(struct expect *x, struct err *e)
{
	char shown[256];
	struct stat st = { 0 };
	x->fd = sys_open(x->conf->file, O_RDONLY | O_NONBLOCK, 0);
	int sys = x->fd < 0 || fstat(x->fd, &st) != 0 ? errno : 0;
	bool odd = sys == 0 && !S_ISREG(st.st_mode);
	if (sys == 0 && !odd) {
		x->size = (int64_t)st.st_size;
		return 0;
	}
	expect_close(x);
	text_show(shown, sizeof shown, x->conf->file, strlen(x->conf->file));
	return err_set(e, ERR_USAGE, sys, "--expect-file %s%s", shown, odd ? ": it is no regular file" : "");
}

int expect_open(struct expect *x, const struct expect_conf *conf, struct err *e)
{
	*x = (struct expect){ .conf = conf, .fd = -1, .size = conf->bytes };
	x->has_size = conf->text != NULL || conf->file != NULL || conf->has_bytes;
	if (conf->text != NULL)
		x->size = (int64_t)conf->text_len;
	return conf->file != NULL ? open_file(x, e) : 0;
}

void expect_close(struct expect *x)
{
	sys_close(x->fd);
	x->fd = -1;
}

/* One connection */

struct sample { /* a few bytes to show */
	unsigned char b[SHOW_MOST];
	size_t n;
	bool more;
};

struct judge {
	const struct expect *x;
	int64_t at; /* received bytes */
	bool wrong; /* they differ at `at`, or there are too many */
	struct sample got, want;
	struct sha256 sum;
	struct why why; /* the file could not be read */
};

static const struct why differs = { ERR_MISMATCH, OF_PEER, 0, "something else came than was expected from" };

/* A few bytes, without half characters if possible. */
static void take_sample(struct sample *s, const unsigned char *p, size_t n)
{
	s->n = n < SHOW_BYTES ? n : SHOW_BYTES;
	while (s->n < n && s->n < SHOW_MOST && (p[s->n] & 0xc0) == 0x80)
		s->n++;
	memcpy(s->b, p, s->n);
	s->more = n > s->n;
}

/* At most n bytes of the expected data at `at`; returns how many there are, or -1 (errno). */
static ssize_t expect_is_wanted(const struct expect *x, int64_t at, unsigned char *out, size_t n)
{
	size_t len = 0;
	if ((int64_t)n > x->size - at)
		n = (size_t)(x->size - at);
	if (x->conf->text != NULL) {
		memcpy(out, x->conf->text + at, n);
		return (ssize_t)n;
	}
	while (len < n) {
		ssize_t got = sys_pread(x->fd, out + len, n - len, (off_t)(at + (int64_t)len));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0) /* the file has become shorter */
			break;
		len += (size_t)got;
	}
	return (ssize_t)len;
}

static size_t expect_same(const unsigned char *a, const unsigned char *b, size_t n)
{
	size_t i = 0;
	if (memcmp(a, b, n) == 0)
		return n;
	while (a[i] == b[i])
		i++;
	return i;
}

static void expect_compare(struct judge *j, const unsigned char *p, size_t n)
{
	unsigned char want[PIECE_BYTES];
	ssize_t has = expect_is_wanted(j->x, j->at, want, n);
	if (has < 0) {
		j->why = (struct why){ ERR_LOCAL, 0, errno, "read the expected file" };
		return;
	}
	size_t equal = expect_same(p, want, (size_t)has);
	j->at += (int64_t)equal;
	if (equal == n)
		return;
	j->wrong = true;
	take_sample(&j->got, p + equal, n - equal);
	if (equal == (size_t)has)
		return; /* more bytes than expected */
	has = expect_is_wanted(j->x, j->at, want, SHOW_MOST + 1);
	take_sample(&j->want, want, has > 0 ? (size_t)has : 0);
}

static void judge_piece(struct judge *j, const unsigned char *p, size_t n)
{
	const struct expect_conf *conf = j->x->conf;
	if (conf->text != NULL || conf->file != NULL) {
		expect_compare(j, p, n);
		return;
	}
	if (conf->has_bytes && (int64_t)n > j->x->size - j->at) {
		j->at = j->x->size;
		j->wrong = true;
		take_sample(&j->got, p, 0);
		return;
	}
	if (conf->has_sum)
		sha256_add(&j->sum, p, n);
	j->at += (int64_t)n;
}

static const struct why *judge_moved(void *self, enum observer_dir dir, const struct iovec *v, size_t len)
{
	struct judge *j = self;
	struct observer_walk w = { .v = v, .left = len };
	const unsigned char *p;
	size_t n;
	if (dir != OBSERVER_IN)
		return NULL;
	while (!j->wrong && j->why.cls == ERR_OK && observer_next(&w, PIECE_BYTES, &p, &n))
		judge_piece(j, p, n);
	return j->wrong ? &differs : j->why.cls != ERR_OK ? &j->why : NULL;
}

static int say_difference(const struct judge *j, struct err *e)
{
	char got[SHOW_MOST * 4 + 1], want[SHOW_MOST * 4 + 1];
	text_show(got, sizeof got, j->got.b, j->got.n);
	text_show(want, sizeof want, j->want.b, j->want.n);
	if (j->got.n == 0)
		return err_set(e, ERR_MISMATCH, 0, "got more than %lld bytes", (long long)j->at);
	const char *more = j->got.more ? "…" : "";
	if (j->want.n == 0)
		return err_set(e, ERR_MISMATCH, 0, "byte %lld: got %02x (\"%s%s\"), want the end", (long long)j->at, j->got.b[0],
			got, more);
	return err_set(e, ERR_MISMATCH, 0, "byte %lld: got %02x (\"%s%s\"), want %02x (\"%s%s\")", (long long)j->at, j->got.b[0],
		got, more, j->want.b[0], want, j->want.more ? "…" : "");
}

static int judge_verdict(void *self, struct err *e)
{
	const struct judge *j = self;
	const struct expect_conf *conf = j->x->conf;
	if (j->wrong)
		return say_difference(j, e);
	if (j->why.cls != ERR_OK) {
		err_why(e, &j->why, NULL);
		return err_prefix(e, "byte %lld", (long long)j->at);
	}
	if (j->x->has_size && j->at < j->x->size)
		return err_set(e, ERR_MISMATCH, 0, "ended after %lld byte%s, want %lld", (long long)j->at, j->at == 1 ? "" : "s",
			(long long)j->x->size);
	if (!conf->has_sum)
		return 0;
	unsigned char sum[SHA256_BYTES];
	char got[SHA256_TEXT], want[SHA256_TEXT];
	sha256_end(&j->sum, sum);
	if (memcmp(sum, conf->sum, sizeof sum) == 0)
		return 0;
	return err_set(e, ERR_MISMATCH, 0, "SHA-256 of %lld byte%s: got %s, want %s", (long long)j->at, j->at == 1 ? "" : "s",
		sha256_text(sum, got), sha256_text(conf->sum, want));
}

int expect_push(struct stream **top, const struct expect *x)
{
	static const struct observer_ops ops = { .name = "expect", .moved = judge_moved, .verdict = judge_verdict };
	struct judge *j = observer_push(top, &ops, sizeof *j);
	if (j == NULL)
		return -1;
	j->x = x;
	sha256_init(&j->sum);
	return 0;
}
