/* The lowest streams: a socket, or a pair of descriptors that are no sockets (stdin and stdout, a file, a child's pipes).
 *
 * A socket is read and written with MSG_DONTWAIT, so that an inherited description keeps its flags. Descriptors of a pair
 * are expected to be nonblocking already (stdfd.h) or regular files. Words of failures: "receive from" / "send to" for
 * sockets (class LOST on reset and broken pipe, CONNECT on an ICMP refusal, else NETWORK), "read NAME" / "write NAME" for
 * pairs (LOCAL, PIPE when the reader is gone). */
#ifndef STREAM_FDSTREAM_H
#define STREAM_FDSTREAM_H

#include "stream/stream.h"

/* A connected socket, stream or datagram (caps gets ST_DGRAM or ST_SOCK). Takes fd. NULL: no memory, fd closed. */
struct stream *fdstream_socket(int takes_fd, bool dgram);

/* After a call on stream_rawfd(top, write): what the errno of that call means. ST_AGAIN or ST_FAIL, with need or why at `top`,
 * in the same words as if it had read or written. */
int fdstream_failed(struct stream *top, bool write, int sys);

/* Is a TCP connection at the bottom? False also if the system cannot tell (SO_PROTOCOL is Linux's and FreeBSD's). */
bool fdstream_tcp(const struct stream *s);

int fdstream_unread(const struct stream *s); /* bytes that are there to be read, as far as the system tells: else 0 */
bool fdstream_heard(const struct stream *s); /* has it been read from, with success? */
/* Nothing more is taken in: where our end is out already, Linux answers what still comes with a reset, and a Unix peer's write
 * fails. What had come before can still be read. */
void fdstream_deafen(const struct stream *s);

#endif
