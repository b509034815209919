/* TLS over memory, without a socket. The first byte chooses: bytes thrown at a server or a client that waits for a handshake,
 * which must never be taken for one; or a handshake of the two in which bits flip or the rest vanishes, as the other bytes say:
 * an end that believes in it has a peer that believes in it, too, or was not touched. */
#include "tests/fuzz/fuzz.h"

#include "tests/unit/tlspair.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 32768, BLOCKS = 16, TURNS = 64, SHAKES = 1000 };

static struct tlspair pair;

static void thrown_at(struct tlsparty *x, struct joint_end *from, const uint8_t *bytes, size_t n, size_t piece)
{
	int rc = ST_AGAIN;
	for (size_t at = 0, turns = 0; turns < TURNS && rc == ST_AGAIN; turns++) {
		if (at < n) {
			struct iovec v = { (void *)(uintptr_t)(bytes + at), n - at < piece ? n - at : piece };
			at += v.iov_len;
			if (from->s.ops->writev(&from->s, &v, 1) < 0)
				break;
		} else if (!from->was_shut) {
			from->s.ops->shut(&from->s);
		}
		tlspair_turn(&pair);
		rc = stream_setup(x->top);
	}
	fuzz_check(rc != 0, "thrown bytes were taken for a handshake");
	fuzz_check(rc != ST_FAIL || x->top->why.cls != ERR_OK, "it failed without a reason");
}

/* As tlspair_shake, but a handshake that is stuck is given up soon. */
static bool shake(void)
{
	int a = ST_AGAIN, b = ST_AGAIN;
	for (unsigned i = 0; i < SHAKES && (a == ST_AGAIN || b == ST_AGAIN); i++) {
		a = a == ST_AGAIN ? stream_setup(pair.client.top) : a;
		b = b == ST_AGAIN ? stream_setup(pair.server.top) : b;
		if (a == ST_FAIL || b == ST_FAIL)
			return false;
		tlspair_turn(&pair);
	}
	return a == 0 && b == 0;
}

static uint32_t number(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

static void disturbed(const uint8_t *bytes, size_t n)
{
	if (n < 5)
		return;
	struct joint_end *end = bytes[0] & 1 ? &pair.joint.a : &pair.joint.b;
	if (bytes[0] & 2)
		end->flip_at = 1 + number(bytes + 1) % 24000;
	if (bytes[0] & 4)
		end->cut_at = 1 + number(bytes + 3) % 3000;
	pair.joint.a.most = pair.joint.b.most = bytes[0] & 8 ? 16u + bytes[4] : 0;
	pair.joint.a.stutters = bytes[0] & 16;
	bool touched = (end->flip_at != 0 || end->cut_at != 0);
	bool shaken = shake();
	fuzz_check(shaken || touched, "an honest handshake failed");
}

static void run(const uint8_t *bytes, size_t n)
{
	if (n < 2)
		return;
	tlspair_open(&pair, BLOCK, BLOCKS);
	tlspair_start(&pair);
	if (bytes[0] & 1)
		thrown_at(&pair.server, &pair.joint.a, bytes + 1, n - 1, 1 + bytes[0] / 4);
	else if (bytes[0] & 2)
		thrown_at(&pair.client, &pair.joint.b, bytes + 1, n - 1, 1 + bytes[0] / 4);
	else
		disturbed(bytes + 1, n - 1);
	tlspair_close(&pair);
}

const struct fuzz fuzz_tls = { .name = "tls", .run = run };
