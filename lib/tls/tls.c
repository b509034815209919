/* TLS as requested: the options, their values, and which of them cannot be used together or with the address. */
#include "tls/tls.h"

#include "net/addr.h"
#include "net/service.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char pin_head[] = "sha256//";
enum { PIN_HEAD = sizeof pin_head - 1, PIN_DIGITS = 43 /* and one '=' */ };

/* --- pins: RFC 7469's, as curl writes them --- */

const char *tls_pin_text(const unsigned char sum[SHA256_BYTES], char out[TLS_PIN_TEXT])
{
	char *at = out + snprintf(out, TLS_PIN_TEXT, "%s", pin_head);
	for (size_t i = 0; i < SHA256_BYTES; i += 3) {
		uint32_t three = (uint32_t)sum[i] << 16 | (uint32_t)sum[i + 1] << 8;
		if (i + 2 < SHA256_BYTES)
			three |= sum[i + 2];
		for (unsigned shift = 24; shift > 0; shift -= 6)
			*at++ = base64_digits[three >> (shift - 6) & 63];
	}
	at[-1] = '='; /* 32 bytes end two short of a third */
	*at = '\0';
	return out;
}

static int pin_hook(void *block, const char *text, struct err *e)
{
	struct tls_client_conf *conf = block;
	char canonical[TLS_PIN_TEXT];
	if (conf->pins == TLS_PINS_MOST)
		return err_set(e, ERR_USAGE, 0, "more than %d pins", TLS_PINS_MOST);
	unsigned char *sum = conf->pin[conf->pins];
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;
	bool well = strncmp(text, pin_head, PIN_HEAD) == 0;
	for (size_t i = 0; well && i < PIN_DIGITS; i++) {
		const char *digit = text[PIN_HEAD + i] == '\0' ? NULL : strchr(base64_digits, text[PIN_HEAD + i]);
		well = digit != NULL;
		bits = bits << 6 | (well ? (uint32_t)(digit - base64_digits) : 0);
		have += 6;
		if (have >= 8 && n < SHA256_BYTES)
			sum[n++] = (unsigned char)(bits >> (have -= 8));
	}
	if (!well || strcmp(tls_pin_text(sum, canonical), text) != 0)
		return err_set(e, ERR_USAGE, 0, "expected sha256// and the 44 characters of a SHA-256 in Base64");
	conf->pins++;
	return 0;
}

/* --- names of protocols: RFC 7301 --- */

static int alpn_hook(void *block, const char *text, struct err *e)
{
	struct tls_conf *conf = block;
	conf->alpn_len = 0;
	for (;;) {
		size_t n = strcspn(text, ",");
		if (n == 0)
			return err_set(e, ERR_USAGE, 0, "expected names separated by commas, such as h2,http/1.1");
		if (conf->alpn_len + 1 + n > TLS_ALPN_MOST)
			return err_set(e, ERR_USAGE, 0, "longer than %d bytes", TLS_ALPN_MOST);
		conf->alpn[conf->alpn_len++] = (unsigned char)n;
		memcpy(conf->alpn + conf->alpn_len, text, n);
		conf->alpn_len = (uint8_t)(conf->alpn_len + n);
		if (text[n] == '\0')
			return 0;
		text += n + 1;
	}
}

/* --- rows --- */

#define AT(field) .off = offsetof(struct tls_conf, field)
static const struct opt rows[] = {
	{ .name = "cert",
		.kind = OPT_TEXT,
		AT(cert),
		.arg = "FILE",
		.help = "our certificate and its chain (PEM)",
		.man = "Our certificate, followed by those of the authorities between it and the root, as PEM. A server without it "
		       "makes one for this run: a P-256 key, seven days, for localhost, 127.0.0.1, ::1 and the host it listens on; "
		       "its pin is told on standard error, in the event ready and in SOCKCTL_PIN. A client shows its "
		       "certificate only when the server asks for one." },
	{ .name = "key",
		.kind = OPT_TEXT,
		AT(key),
		.arg = "FILE",
		.help = "the private key of --cert (PEM, not encrypted)",
		.man = "The private key of --cert, as PEM and not encrypted. Without it the key is looked for in the file of "
		       "--cert." },
	{ .name = "alpn",
		.kind = OPT_HOOK,
		.arg = "NAME[,NAME]",
		.hook = alpn_hook,
		.help = "application protocols, the preferred one first",
		.man = "The application protocols that we speak, the preferred one first: h2,http/1.1. A client offers them; a "
		       "server chooses its first that the client offers too, and refuses a client that offers none of them. The "
		       "choice is in the event tls." },
	{ .name = "tls-min",
		.kind = OPT_CHOICE,
		AT(min),
		.arg = "1.2|1.3",
		.def = "1.2",
		.help = "the oldest version of TLS that is accepted" },
	{ .name = "tls-allow-truncation",
		.with = WITH_PAYLOAD,
		.kind = OPT_FLAG,
		AT(allow_truncation),
		.help = "accept an end of the connection without close_notify",
		.man = "Takes the end of the connection for the end of the data. Without it, a peer that closes without TLS's "
		       "own end (close_notify) counts as cut off, perhaps by an attacker on the way, and the exit status is 7." },
	{ .name = "keylog",
		.kind = OPT_TEXT,
		AT(keylog),
		.arg = "FILE",
		.help = "append the session's secrets to FILE, for Wireshark",
		.man = "Appends the secrets of each connection to FILE, created with mode 0600, in the form that Wireshark and "
		       "tshark read (tls.keylog_file). With the file, what was sent can be read. "
		       "Without the option the environment variable SSLKEYLOGFILE names it." },
	{ 0 },
};

static int check_both(void *block, struct err *e)
{
	const struct tls_conf *conf = block;
	if (conf->key != NULL && conf->cert == NULL)
		return err_set(e, ERR_USAGE, 0, "--key %.200s requires --cert, the certificate of that key", conf->key);
	return 0;
}

const struct opt_group tls_opts = { .title = "TLS", .size = sizeof(struct tls_conf), .rows = rows, .check = check_both };

#undef AT
#define AT(field) .off = offsetof(struct tls_client_conf, field)
static const struct opt client_rows[] = {
	{ .name = "ca",
		.kind = OPT_TEXT,
		AT(ca),
		.arg = "FILE|DIR",
		.help = "trust these authorities and not the system's",
		.man = "Trusts the certificates in FILE (PEM), or in DIR as openssl rehash(1) arranges them, instead of the "
		       "system's authorities. A certificate that is named here is trusted also if it is no authority." },
	{ .name = "insecure",
		.kind = OPT_FLAG,
		AT(insecure),
		.help = "do not verify the peer: an impostor is not noticed",
		.man = "Verifies neither the peer's certificate nor its name, and warns of it on every run, also with -q: an "
		       "impostor at the other end can read and change what is sent. For a server of your own --pin is as easy, "
		       "and safe." },
	{ .name = "pin",
		.kind = OPT_HOOK,
		.arg = "sha256//BASE64",
		.hook = pin_hook,
		.help = "the peer's public key must be this one",
		.man = "The peer must have the key with this SHA-256, as curl --pinnedpubkey writes it; it is checked within the "
		       "handshake. May be given again for another key that is accepted, too. Alone it is all that is checked, "
		       "which is right for a server that made its own certificate; with --ca the authorities must have signed "
		       "the certificate and its name, too." },
	{ .name = "server-name",
		.kind = OPT_TEXT,
		AT(server_name),
		.arg = "NAME",
		.help = "the name to send (SNI) and to expect in the certificate",
		.man = "The name to send (SNI) and to look for in the certificate, instead of the host of the address. An IP "
		       "address is looked for among the certificate's IP addresses and is not sent." },
	{ 0 },
};

static int check_client(void *block, struct err *e)
{
	const struct tls_client_conf *conf = block;
	if (conf->insecure && conf->ca != NULL)
		return err_set(e, ERR_USAGE, 0, "--insecure and --ca cannot be used together");
	if (conf->insecure && conf->pins > 0)
		return err_set(e, ERR_USAGE, 0, "--insecure and --pin cannot be used together");
	const char *name = conf->server_name; /* to OpenSSL a dot before it means any host below */
	if (name != NULL && (name[0] == '\0' || name[0] == '.' || strlen(name) > 253))
		return err_set(e, ERR_USAGE, 0, "--server-name: expected a host name of at most 253 characters");
	return 0;
}

const struct opt_group tls_client_opts = {
	.title = "TLS client", .size = sizeof(struct tls_client_conf), .rows = client_rows, .check = check_client
};

static const struct opt server_rows[] = {
	{ .name = "client-ca",
		.kind = OPT_TEXT,
		.off = offsetof(struct tls_server_conf, client_ca),
		.arg = "FILE|DIR",
		.help = "demand a client certificate of these authorities",
		.man = "Lets in only clients that show a certificate of one of these authorities, arranged as for --ca." },
	{ 0 },
};
const struct opt_group tls_server_opts = { .title = "TLS server", .size = sizeof(struct tls_server_conf), .rows = server_rows };

/* --- the row --- */

/* A TLS option on a connection without TLS would silently do nothing. Connections that a service dials count, too. */
static int refuse_idle(const struct run *run, const struct service *service, struct err *e)
{
	const struct layers *layers = run->layers;
	const struct addr *target = service->dials != NULL ? service->dials(run->conf) : NULL;
	bool dials = layers->role == ROLE_DIAL, far = target != NULL && target->tls,
	     near = layers->addr->tls || layers->tls_later;
	const struct {
		const struct opt_group *group;
		bool used;
	} all[] = { { &tls_opts, near || far }, { &tls_client_opts, (dials && near) || far },
		{ &tls_server_opts, !dials && near } };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		const struct opt *row = all[i].used ? NULL : conf_given(run->conf, all[i].group, OPT_ANY);
		if (row != NULL)
			return err_set(e, ERR_USAGE, 0, "--%s: %s", row->name,
				dials || all[i].group != &tls_client_opts
					? "the connection has no TLS; add --tls"
					: "it requires --forward tls://: nothing is dialed with TLS");
	}
	return 0;
}

int tls_start(const struct run *run, void **shared, struct err *e)
{
	const struct addr *a = run->layers->addr;
	if (a == NULL)
		return 0;
	const struct service *service = run->layers->service;
	if (service != NULL && !(service->needs & LATER_TLS) && refuse_idle(run, service, e) != 0)
		return -1;
	if (!a->tls)
		return 0;
	if (addr_dgram(a))
		return err_set(e, ERR_USAGE, 0, "--tls: TLS needs a stream, and %s has datagrams", a->text);
	return tls_open(run, shared, e);
}

int tls_later(const struct run *run, void **shared, struct err *e)
{
	const struct layers *layers = run->layers;
	if (refuse_idle(run, layers->service, e) != 0)
		return -1;
	if (layers->tls_later && layers->addr->tls)
		return err_set(e, ERR_USAGE, 0, "--tls and the script's starttls cannot be used together");
	return layers->tls_later ? tls_open(run, shared, e) : 0;
}

static bool is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool tls_reads_later(const struct run *run, const struct addr *dials)
{
	const struct tls_client_conf *client = conf_get(run->conf, &tls_client_opts);
	const struct tls_server_conf *server = conf_get(run->conf, &tls_server_opts);
	const struct layers *layers = run->layers;
	bool tls = (dials != NULL && dials->tls) || (layers != NULL && layers->tls_later && layers->role == ROLE_DIAL);
	bool trusts = tls && !client->insecure && (client->pins == 0 || client->ca != NULL);
	if (trusts && (client->ca == NULL || is_folder(client->ca)))
		return true;
	return server->client_ca != NULL && is_folder(server->client_ca);
}

void tls_tell_pin(const struct run *run)
{
	const struct tls_conf *conf = conf_get(run->conf, &tls_opts);
	const char *pin = tls_pin(run);
	char text[TLS_PIN_TEXT + 80];
	if (pin == NULL || conf->cert != NULL)
		return;
	snprintf(text, sizeof text, "the certificate was made for this run; clients know it by --pin %s", pin);
	event(run->events, EV_NOTE, 0, EV_TEXT("text", text));
}

const char *tls_pin(const struct run *run)
{
	const void *shared = layer_shared(run, tls_push);
	return shared != NULL ? tls_own_pin(shared) : NULL;
}
