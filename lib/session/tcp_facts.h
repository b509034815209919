/* What the system has measured of a TCP connection, asked at its end: only Linux tells. */
#ifndef SESSION_TCP_FACTS_H
#define SESSION_TCP_FACTS_H

#include "stream/stream.h"

struct tcp_facts {
	bool known;		      /* it is a TCP connection, and the system answers */
	bool timed;		      /* the system also tells the three durations (since 4.10) */
	uint32_t rtt_us;	      /* smoothed; 0: not measured */
	uint32_t retrans;	      /* segments that were sent again */
	int64_t busy_us;	      /* the time in which sent bytes waited for their acknowledgement; of it were */
	int64_t reader_us, window_us; /* the peer's receive window full / our own send buffer full */
	const char *limited;	      /* what our sending waited for most; NULL: nothing was sent */
};

/* top: of a session that has lasted dur_us. */
void tcp_facts_ask(const struct stream *top, int64_t dur_us, struct tcp_facts *out);
/* "application", "reader", "window" or "network": what took most of dur_us. */
const char *tcp_facts_limit(const struct tcp_facts *facts, int64_t dur_us);
enum { TCP_FACTS_WORDS = 120 };
/* "; rtt 0.041 ms, 0 segments sent again, sending limited by the network"; "" where nothing is known. */
const char *tcp_facts_words(const struct tcp_facts *facts, char out[TCP_FACTS_WORDS]);

#endif
