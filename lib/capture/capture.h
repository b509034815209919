/* A capture: what passed as packets that a network analyser reads, for all connections of a run in one file (pcapng.h).
 *
 * Payload is what our end saw, in plain; the packets around it are made up, and so are handshakes, acknowledgements and ends. */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include "capture/output_file.h"
#include "capture/pcapng.h"
#include "stream/stream.h"

struct capture {
	struct output_file file;
};

void capture_begin(struct capture *c); /* once, after the file was opened */
/* Stands on *top, borrows c. dialed: we were the one who connected. -1: no memory, *top as it was. */
int capture_push(struct stream **top, struct capture *c, uint32_t conn, bool dialed, const struct pcapng_end *us,
	const struct pcapng_end *peer);

#endif
