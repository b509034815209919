/* Writing held bytes to the stream below (send_buf.h). */
#include "stream/send_buf.h"

int send_buf_send(struct send_buf *h, struct stream *layer)
{
	while (h->len > 0) {
		ssize_t put = stream_write(layer->below, h->bytes + h->at, h->len);
		if (put < 0)
			return (int)stream_up_wr(layer, put);
		h->at += (size_t)put;
		h->len -= (size_t)put;
	}
	h->at = 0;
	return 0;
}

int send_buf_flush(struct send_buf *h, struct stream *layer)
{
	int rc = send_buf_send(h, layer);
	return rc != 0 ? rc : stream_pass(layer, stream_flush);
}
