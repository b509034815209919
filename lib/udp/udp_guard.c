/* Limits for a server that answers any sender: the address may be forged, and the answers would hit another host. A guarded
 * server does not answer its own address (it would answer itself for ever), ports below 1024 (other services would answer back),
 * or more than so many datagrams a second from one host. Loopback may do the last two.
 *
 * One forged datagram can make two servers answer each other for ever. So an answer has one hop less than its question: between
 * hosts the routers end the exchange; a datagram on its last hop is counted on loopback, too, so that the rate ends it.
 *
 * Hosts are counted in a fixed number of cells, chosen by a seeded hash. Hosts in one cell share its rate, so forged addresses
 * gain nothing and need no memory. */
#include "udp/udp_internal.h"

static bool is_us(const struct sa *peer, const struct sa *to, uint16_t our_port)
{
	if (peer->family == AF_UNIX || sa_port(peer) != our_port)
		return false;
	struct sa here = *to;
	sa_set_port(&here, our_port);
	return sa_loopback(peer) || sa_equal(peer, &here);
}

bool udp_guard_service(const struct sa *peer)
{
	return peer->family != AF_UNIX && !sa_loopback(peer) && sa_port(peer) < 1024;
}

uint8_t udp_guard_hops(const struct udp_guard *g, uint8_t left)
{
	uint8_t fewer =
		left > 1 ? (uint8_t)(left - 1) : left; /* a sender that uses a single hop, as multicast does, is answered */
	return fewer < g->hops ? fewer : g->hops;
}

bool udp_guard_passes(struct udp_guard *g, uint32_t host_hash, const struct sa *peer, const struct sa *to, uint8_t hops,
	uint16_t our_port, int64_t now_ms)
{
	if (is_us(peer, to, our_port))
		return false;
	bool near_by = peer->family == AF_UNIX || sa_loopback(peer);
	if (near_by && hops != 1)
		return true;
	if (udp_guard_service(peer))
		return false;
	struct guard_cell *cell = &g->cells[host_hash % GUARD_CELLS];
	uint32_t second = (uint32_t)(now_ms / 1000);
	if (cell->second != second)
		*cell = (struct guard_cell){ .second = second };
	return g->rate == 0 || ++cell->count <= g->rate;
}
