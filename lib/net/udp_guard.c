/* A server that answers whoever asks is a weapon: the asker's address may be forged, and the answers hit somebody else. What a
 * guarded server does not answer: its own address (it would talk to itself for ever), ports below 1024 (other services would
 * answer back), and more than so many datagrams a second from one host. Loopback may do the last two.
 *
 * Hosts are counted in a fixed number of cells, chosen by a seeded hash. Hosts that meet in a cell share its allowance, so
 * nobody gets more than the rate however many addresses are forged; no memory grows with strangers. */
#include "net/udp_parts.h"

static bool is_us(const struct sa *peer, const struct sa *to, uint16_t our_port)
{
	if (peer->family == AF_UNIX || sa_port(peer) != our_port)
		return false;
	struct sa here = *to;
	sa_set_port(&here, our_port);
	return sa_loopback(peer) || sa_equal(peer, &here);
}

bool udp_guard_passes(
	struct udp_guard *g, uint32_t host_hash, const struct sa *peer, const struct sa *to, uint16_t our_port, int64_t now_ms)
{
	if (is_us(peer, to, our_port))
		return false;
	if (peer->family == AF_UNIX || sa_loopback(peer))
		return true;
	if (sa_port(peer) < 1024)
		return false;
	struct guard_cell *cell = &g->cells[host_hash % GUARD_CELLS];
	uint32_t second = (uint32_t)(now_ms / 1000);
	if (cell->second != second)
		*cell = (struct guard_cell){ .second = second };
	return g->rate == 0 || ++cell->count <= g->rate;
}
