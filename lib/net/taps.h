/* The layers that look at the traffic, as rows of the stack need them: transcript, capture, events, expectations. */
#ifndef NET_TAPS_H
#define NET_TAPS_H

#include "net/layer.h"

extern const struct opt_group tap_opts; /* --transcript --pcap --record */
struct tap_conf {
	const char *transcript, *pcap, *record;
};

int transcript_start(const struct env *env, void **shared, struct err *e);
int transcript_layer(struct stream **top, const struct link *link, void *shared, struct err *e);

int record_start(const struct env *env, void **shared, struct err *e);
int record_layer(struct stream **top, const struct link *link, void *shared, struct err *e);

int capture_start(const struct env *env, void **shared, struct err *e);
int capture_layer(struct stream **top, const struct link *link, void *shared, struct err *e);
void capture_stop(const struct env *env, void *takes);

int data_layer(struct stream **top, const struct link *link, void *shared, struct err *e); /* events about payload */

int expect_start(const struct env *env, void **shared, struct err *e);
int expect_layer(struct stream **top, const struct link *link, void *shared, struct err *e);
void expect_stop(const struct env *env, void *takes);

#endif
