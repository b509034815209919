/* The layers that observe traffic, as rows of the table of layers need them: transcript, capture, events, expectations. */
#ifndef CAPTURE_OBSERVERS_H
#define CAPTURE_OBSERVERS_H

#include "net/layer.h"

extern const struct opt_group observer_opts; /* --transcript --pcap --record --log-raw */
struct observer_conf {
	const char *transcript, *pcap, *record, *log_raw;
};

int transcript_start(const struct run *run, void **shared, struct err *e);
int transcript_layer(struct stream **top, const struct link *link, void *shared, struct err *e);

int record_start(const struct run *run, void **shared, struct err *e);
int record_layer(struct stream **top, const struct link *link, void *shared, struct err *e);

int raw_log_start(const struct run *run, void **shared, struct err *e);
int raw_log_layer(struct stream **top, const struct link *link, void *shared, struct err *e);

int capture_start(const struct run *run, void **shared, struct err *e);
int capture_layer(struct stream **top, const struct link *link, void *shared, struct err *e);
void capture_stop(const struct run *run, void *takes);

int data_layer(struct stream **top, const struct link *link, void *shared, struct err *e); /* events about payload */

int expect_start(const struct run *run, void **shared, struct err *e);
int expect_layer(struct stream **top, const struct link *link, void *shared, struct err *e);
void expect_stop(const struct run *run, void *takes);

#endif
