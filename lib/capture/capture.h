/* A capture: traffic as packets that a network analyser reads, for all connections of a run in one file (pcapng.h).
 *
 * The payload is what our end saw, in plain text; the packets around it, handshakes, acknowledgements and ends are made up. */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include "capture/output_file.h"
#include "capture/pcapng.h"
#include "net/sockaddr.h"
#include "stream/stream.h"

struct capture {
	struct output_file file;
};

void capture_end(struct pcapng_end *end, const struct sa *sa);
void capture_begin(struct capture *c); /* once, after the file was opened */
/* Puts the layer on *top, borrows c. dialed: our end connected. -1: no memory, *top unchanged. */
int capture_push(struct stream **top, struct capture *c, uint32_t conn, bool dialed, const struct pcapng_end *us,
	const struct pcapng_end *peer);

#endif
