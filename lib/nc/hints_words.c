/* Long options of other tools (hints.h), and what is typed here for each. */
#include "nc/hints.h"
#include "nc/hints_internal.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const char ncats[] = "ncat's", openssls[] = "openssl's", others[] = "another tool's";

static const struct {
	const char *theirs, *whose, *advice;
} words[] = {
	{ "--listen", ncats, "the mode says it: use \"sockctl listen\" or \"sockctl serve\"" },
	{ "--broker", ncats, "use \"sockctl chat --wire raw\"" },
	{ "--chat", ncats, "use \"sockctl chat\"" },
	{ "--max-conns", ncats, "use --max" },
	{ "--nodns", ncats, "use --numeric" },
	{ "--source-port", ncats, "use --source" },
	{ "--no-shutdown", ncats, "use --half-close no" },
	{ "--ssl", ncats, "use --tls; --insecure does not verify the certificate, as ncat by default" },
	{ "--ssl-verify", ncats, "use --tls, which verifies the certificate" },
	{ "--ssl-cert", ncats, "use --tls --cert" },
	{ "--ssl-key", ncats, "use --tls --key" },
	{ "--ssl-trustfile", ncats, "use --tls --ca" },
	{ "--ssl-alpn", ncats, "use --tls --alpn" },
	{ "--ssl-servername", ncats, "use --tls --server-name" },
	{ "--ssl-ciphers", ncats, "use --tls; --tls-min says which versions may be used" },
	{ "--sh-exec", ncats, "use --exec" },
	{ "--hex-dump", ncats, "use --hexdump, or --transcript FILE" },
	{ "--output", ncats, "use --log-raw FILE, or --transcript FILE" },
	{ "--append-output", ncats, "use --log-raw FILE, or --transcript FILE" },
	{ "--delay", ncats, "use --pace" },
	{ "--allowfile", ncats, "use --allow @FILE" },
	{ "--denyfile", ncats, "use --deny @FILE" },
	{ "--proxy-type", ncats, "the URL says it: use --proxy http://HOST:PORT, or socks5://" },
	{ "--proxy-dns", ncats, "the URL says it: use --proxy socks5h://HOST:PORT, or socks5://" },
	{ "--starttls", openssls,
		"a conversation does it: use --talk with the line starttls, as in 'expect \"220\" send "
		"\"STARTTLS\\r\\n\" expect \"220\" starttls'" },
	{ "--servername", openssls, "use --server-name" },
	{ "--cafile", openssls, "use --ca" },
	{ "--port", others, "the port is a word of its own: sockctl connect HOST 7000, sockctl listen 7000" },
	{ "--host", others, "the host is a word of its own: sockctl connect HOST 7000, sockctl listen HOST 7000" },
	{ "--bind", others, "the address is a word of its own: sockctl listen HOST 7000" },
	{ "--address", others, "the address is a word of its own: sockctl connect HOST:7000" },
	{ "--tcp", others, "it is the default" },
	{ "--timeout", others, "use --connect-timeout, --idle-timeout, --max-time, or --wait to try again" },
	{ "--retry", others, "use --wait TIME" },
	{ NULL, NULL, NULL },
};

/* The word ends where its value begins. */
static bool is_word(const char *typed, const char *theirs)
{
	size_t n = strlen(theirs);
	return strncmp(typed, theirs, n) == 0 && (typed[n] == '\0' || typed[n] == '=');
}

int hints_refuse(const char *typed, const char *whose, const char *advice, struct err *e)
{
	char shown[96];
	text_show(shown, sizeof shown, typed, strlen(typed));
	return err_set(e, ERR_USAGE, 0, "%s is %s word: %s", shown, whose, advice);
}

int hints_word(const char *typed, struct err *e)
{
	char shown[96];
	bool two = typed[0] == '-' && typed[1] == '-';
	for (size_t i = 0; words[i].theirs != NULL; i++)
		if (is_word(typed, words[i].theirs + (two ? 0 : 1))) {
			snprintf(shown, sizeof shown, "%.*s", (int)strcspn(typed, "="), typed);
			return hints_refuse(shown, words[i].whose, words[i].advice, e);
		}
	return 0;
}
