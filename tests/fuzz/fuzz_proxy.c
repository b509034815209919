/* What a SOCKS or HTTP proxy answers: the first byte chooses what it was asked, the rest is its answer, taken as it is asked for.
 */
#include "tests/fuzz/fuzz.h"

#include "proxy/proxy.h"

#include <stdio.h>
#include <string.h>

enum { STEPS_MOST = 20000 };

static void run(const uint8_t *bytes, size_t n)
{
	static struct proxy proxy;
	static struct proxy_talk talk;
	static const char *const hosts[] = { "192.0.2.1", "2001:db8::1", "example.org", "" };
	if (n < 1)
		return;
	proxy = (struct proxy){ .kind = (enum proxy_kind)(bytes[0] % (PROXY_HTTP + 1)), .auth = bytes[0] & 128 };
	snprintf(proxy.user, sizeof proxy.user, "user");
	snprintf(proxy.password, sizeof proxy.password, "secret");
	memset(&talk, 0, sizeof talk);
	talk.proxy = &proxy;
	talk.port = 80;
	snprintf(talk.host, sizeof talk.host, "%s", hosts[bytes[0] / 8 % 3]);
	enum proxy_step step = PROXY_GO_ON;
	size_t at = 1;
	for (int steps = 0; steps < STEPS_MOST; steps++) {
		step = proxy.kind == PROXY_HTTP ? http_connect_step(&talk) : socks_step(&talk);
		if (step != PROXY_GO_ON)
			break;
		fuzz_check(talk.sends_n <= PROXY_SENDS && talk.has + talk.needs <= PROXY_TAKES, "more than there is room for");
		fuzz_check(talk.needs > 0, "it would go on without an answer");
		if (n - at < talk.needs)
			return;
		memcpy(talk.takes + talk.has, bytes + at, talk.needs);
		talk.has += talk.needs;
		at += talk.needs;
		talk.sends_n = 0;
	}
	fuzz_check(step != PROXY_GO_ON, "it never comes to an end");
	if (step == PROXY_REFUSED) {
		fuzz_check(talk.words[0] != '\0', "refused without a word");
		fuzz_check_shown(talk.words);
	}
}

const struct fuzz fuzz_proxy = { .name = "proxy", .run = run };
