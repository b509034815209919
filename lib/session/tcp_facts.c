/* TCP_INFO, read once a connection. The kernel keeps three clocks of its sender: busy, and of that time limited by the receive
 * window and limited by the send buffer. What is left of busy is the network's (congestion window, pacing, losses); what is left
 * of the connection's time is the application's, which had given nothing to send. */
#include "session/tcp_facts.h"

#include <stdio.h>

#ifdef __linux__

#include "stream/fdstream.h"

#include <linux/tcp.h> /* the C library's own struct is older and shorter */
#include <netinet/in.h>
#include <stddef.h>

void tcp_facts_ask(const struct stream *top, int64_t dur_us, struct tcp_facts *out)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof info;
	const struct stream *s = stream_bottom(top);
	*out = (struct tcp_facts){ 0 };
	if (!fdstream_tcp(s) || getsockopt(s->rfd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return;
	*out = (struct tcp_facts){
		.known = len >= offsetof(struct tcp_info, tcpi_total_retrans) + sizeof info.tcpi_total_retrans,
		.timed = len >= offsetof(struct tcp_info, tcpi_sndbuf_limited) + sizeof info.tcpi_sndbuf_limited,
		.rtt_us = info.tcpi_rtt,
		.retrans = info.tcpi_total_retrans,
		.busy_us = (int64_t)info.tcpi_busy_time,
		.reader_us = (int64_t)info.tcpi_rwnd_limited,
		.window_us = (int64_t)info.tcpi_sndbuf_limited,
	};
	if (out->timed && top->counters->out > 0)
		out->limited = tcp_facts_limit(out, dur_us);
}

#else

void tcp_facts_ask(const struct stream *top, int64_t dur_us, struct tcp_facts *out)
{
	(void)top;
	(void)dur_us;
	*out = (struct tcp_facts){ 0 };
}

#endif

const char *tcp_facts_limit(const struct tcp_facts *facts, int64_t dur_us)
{
	int64_t network_us = facts->busy_us - facts->reader_us - facts->window_us, most_us = dur_us - facts->busy_us;
	const char *limit = "application";
	if (network_us > most_us) {
		limit = "network";
		most_us = network_us;
	}
	if (facts->window_us > most_us) {
		limit = "window";
		most_us = facts->window_us;
	}
	return facts->reader_us > most_us ? "reader" : limit;
}

const char *tcp_facts_words(const struct tcp_facts *facts, char out[TCP_FACTS_WORDS])
{
	int n = snprintf(out, TCP_FACTS_WORDS, "; rtt %.3f ms, %u segment%s sent again", facts->rtt_us / 1000.0,
		(unsigned)facts->retrans, facts->retrans == 1 ? "" : "s");
	if (facts->limited != NULL)
		snprintf(out + n, TCP_FACTS_WORDS - (size_t)n, ", sending limited by the %s", facts->limited);
	return facts->known ? out : "";
}
