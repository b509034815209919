/* Payload for people: in the form of base/hexdump.h, so that output captured from stderr can be converted like a transcript. */
#include "report/report.h"

#include "base/hexdump.h"

#include <stdio.h>
#include <string.h>

enum { AROUND = 16 /* a colour and its end */ };

static const struct ev_field *field_of(const struct event *ev, const char *key)
{
	const struct ev_field *f = ev->fields;
	while (f->key != NULL && strcmp(f->key, key) != 0)
		f++;
	return f;
}

/* Colours a line of `len` bytes at `at`; the colour ends before the newline. */
static size_t report_hex_coloured(char *at, size_t len, bool in)
{
	static const char begin[2][6] = { "\033[36m", "\033[32m" }, end[] = "\033[0m\n";
	memmove(at + 5, at, len - 1);
	memcpy(at, begin[in], 5);
	memcpy(at + 5 + len - 1, end, sizeof end - 1);
	return 5 + len - 1 + sizeof end - 1;
}

static size_t put_head(char *at, const struct event *ev, struct report_dump *d, bool in)
{
	size_t len = 0;
	if (d->conn != ev->conn)
		len = (size_t)snprintf(at, HEXDUMP_LINE, "# %u\n", (unsigned)ev->conn);
	d->conn = ev->conn;
	size_t head = hexdump_head(at + len, in, d->wallclock_us);
	if (field_of(ev, "len")->num == 0) { /* the form has no empty packets: a comment */
		char time[WALLCLOCK_TEXT];
		head = (size_t)snprintf(at + len, HEXDUMP_LINE, "# %c %s empty datagram\n", in ? 'I' : 'O',
			wallclock_text(d->wallclock_us, time));
	}
	return len + (d->colour ? report_hex_coloured(at + len, head, in) : head);
}

size_t report_hex(char out[REPORT_LINE], const struct event *ev, struct report_dump *d)
{
	const struct ev_field *bytes = field_of(ev, "b64"), *dir = field_of(ev, "dir");
	size_t n = bytes->key != NULL ? (size_t)bytes->num : 0, len = 0;
	bool in = dir->key != NULL && strcmp(dir->text, "in") == 0;
	if (!d->begun)
		len = put_head(out, ev, d, in);
	d->begun = true;
	while (d->at < n && len + HEXDUMP_LINE + AROUND <= REPORT_LINE) {
		size_t piece = n - d->at < HEXDUMP_BYTES ? n - d->at : HEXDUMP_BYTES;
		size_t line = hexdump_line(out + len, d->at, (const unsigned char *)bytes->text + d->at, piece);
		len += d->colour ? report_hex_coloured(out + len, line, in) : line;
		d->at += piece;
	}
	return len;
}
