/* Writing down what is held (send_buf.h). */
#include "stream/send_buf.h"

int send_buf_send(struct send_buf *h, struct stream *layer)
{
	struct stream *below = layer->below;
	while (h->len > 0) {
		ssize_t put = stream_write(below, h->bytes + h->at, h->len);
		if (put == ST_AGAIN)
			return stream_again_wr(layer, &below->wr);
		if (put < 0)
			return stream_fail_below(layer);
		h->at += (size_t)put;
		h->len -= (size_t)put;
	}
	h->at = 0;
	return 0;
}

int send_buf_flush(struct send_buf *h, struct stream *layer)
{
	int rc = send_buf_send(h, layer);
	if (rc != 0)
		return rc;
	rc = stream_flush(layer->below);
	if (rc == ST_AGAIN)
		return stream_again_wr(layer, &layer->below->wr);
	return rc == 0 ? 0 : stream_fail_below(layer);
}
