/* A capture: what passed as packets that a network analyser reads, for all connections of a run in one file (pcap.h).
 *
 * Payload is what our end saw, in plain; the packets around it are made up, and so are handshakes, acknowledgements and ends. */
#ifndef IO_CAPTURE_H
#define IO_CAPTURE_H

#include "io/outfile.h"
#include "io/pcap.h"
#include "io/stream.h"

struct capture {
	struct outfile file;
};

void capture_begin(struct capture *c); /* once, after the file was opened */
/* Stands on *top, borrows c. dialed: we were the one who connected. -1: no memory, *top as it was. */
int capture_push(struct stream **top, struct capture *c, uint32_t conn, bool dialed, const struct pcap_end *us,
	const struct pcap_end *peer);

#endif
