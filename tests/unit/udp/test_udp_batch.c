/* Datagram servers, many datagrams a turn: which are woken, in which order answers leave, and what becomes of them when
 * the system takes only some, none, or refuses one. */
#include "datagrams.h"

enum { CLIENTS = 3 };

static int client[CLIENTS];

static void dial_all(void)
{
	for (int i = 0; i < CLIENTS; i++)
		client[i] = dial("127.0.0.1");
}

static void hang_up_all(void)
{
	for (int i = 0; i < CLIENTS; i++)
		sys_close(client[i]);
}

static void all_of_a_peer_at_once(void **state)
{
	(void)state;
	serve("127.0.0.1", false);
	dial_all();
	said(client[0], "a1");
	said(client[1], "b1");
	said(client[0], "");
	said(client[1], "b2");
	said(client[0], "a3");
	settle();
	assert_int_equal(fixture.n, 2);
	assert_string_equal(fixture.owners[0].got, "a1||a3|");
	assert_string_equal(fixture.owners[1].got, "b1|b2|");
	hears(client[0], "a1");
	hears(client[0], "");
	hears(client[0], "a3");
	hears(client[1], "b1");
	hears(client[1], "b2");
	hears_nothing(client[0]);
	assert_int_equal(fixture.lost, 0);
	hang_up_all();
}

/* A session that reads one datagram a call gets them all in the same turn, too. */
static void one_by_one(void **state)
{
	(void)state;
	fixture.one_by_one = true;
	serve("127.0.0.1", false);
	dial_all();
	said(client[0], "0");
	settle();
	said(client[0], "1");
	said(client[0], "2");
	said(client[1], "x");
	said(client[0], "3");
	said(client[0], "4");
	said(client[0], "5");
	settle();
	assert_string_equal(fixture.owners[0].got, "0|1|2|3|4|5|");
	assert_string_equal(fixture.owners[1].got, "x|");
	hang_up_all();
}

/* More than a turn takes, and more bytes than a peer's queue or the batch of answers holds. */
static void much_from_one(void **state)
{
	(void)state;
	static char big[60000], back[60001];
	enum { N = 10, SMALL = 200 };
	serve("127.0.0.1", false);
	dial_all();
	int bytes = 4 << 20;
	setsockopt(client[0], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	for (int i = 0; i < N; i++) {
		memset(big, 'a' + i, sizeof big);
		if (send(client[0], big, sizeof big, 0) != sizeof big)
			fail();
		said(client[0], "small");
	}
	for (int i = 0; i < SMALL; i++)
		said(client[0], "tail");
	settle();
	assert_int_equal(fixture.owners[0].reads, 2 * N + SMALL);
	assert_int_equal(fixture.lost, 0);
	for (int i = 0; i < N; i++) {
		memset(big, 'a' + i, sizeof big);
		assert_int_equal(recv(client[0], back, sizeof back, MSG_DONTWAIT), sizeof big);
		assert_memory_equal(back, big, sizeof big);
		hears(client[0], "small");
	}
	for (int i = 0; i < SMALL; i++)
		hears(client[0], "tail");
	hang_up_all();
}

static void leave(struct owner *o)
{
	if (strstr(o->got, "bye") != NULL)
		forget(o);
}

/* What lies in the batch for a peer that has closed is dropped; one that sends again afterwards is new. */
static void closed_while_woken(void **state)
{
	(void)state;
	if (SYS_BATCH == 1) /* one a call: what came behind is new there, too */
		skip();
	fixture.read = leave;
	serve("127.0.0.1", false);
	dial_all();
	said(client[0], "hello");
	settle();
	said(client[0], "bye");
	said(client[0], "is anybody there?");
	said(client[1], "here");
	settle();
	assert_null(fixture.owners[0].s);
	assert_string_equal(fixture.owners[0].got, "hello|bye|");
	assert_string_equal(fixture.owners[1].got, "here|");
	said(client[0], "again");
	settle();
	assert_int_equal(fixture.n, 3);
	assert_string_equal(fixture.owners[2].got, "again|");
	hang_up_all();
}

static unsigned reads_before_b;

static void note_reads(struct owner *o)
{
	if (o == &fixture.owners[1] && o->reads == 1)
		reads_before_b = fixture.owners[0].reads;
}

/* The peer that must make room for a stranger is judged by what has been read. */
static void new_peers_come_after_earlier_ones(void **state)
{
	(void)state;
	fixture.read = note_reads;
	serve("127.0.0.1", false);
	dial_all();
	said(client[0], "one");
	said(client[0], "two");
	said(client[1], "who are you?");
	said(client[0], "three");
	settle();
	assert_int_equal(reads_before_b, 2);
	assert_string_equal(fixture.owners[0].got, "one|two|three|");
	hang_up_all();
}

#ifdef SYS_SEAM
static struct step { /* of the socket's calls of one kind, in order; the last one stays */
	size_t most;
	int sys;
} script[8];
static enum sys_call scripted;
static unsigned at, steps;

static int gate(enum sys_call call, int fd, size_t *most)
{
	if (call != scripted || fd != fixture.fd)
		return 0;
	const struct step *step = &script[at < steps ? at++ : steps - 1];
	if (step->most > 0 && step->most < *most)
		*most = step->most;
	return step->sys;
}

#define PLAY(call, ...)                                                                                                          \
	play((call), (const struct step[]){ __VA_ARGS__ }, sizeof((const struct step[]){ __VA_ARGS__ }) / sizeof(struct step))

static void play(enum sys_call call, const struct step *list, size_t n)
{
	memcpy(script, list, n * sizeof *list);
	steps = (unsigned)n;
	at = 0;
	scripted = call;
	sys_gate = gate;
}

/* a1 b1 a2 b2, answered as a1 a2 b1 b2, each on its own. */
static void two_each(void)
{
	serve("127.0.0.1", false);
	fixture.udp->cut.below = 1;
	dial_all();
	fixture.mute = true;
	for (int i = 0; i < 2; i++) {
		said(client[i], "hello");
		settle();
	}
	fixture.mute = false;
	for (int i = 0; i < 4; i++)
		said(client[i % 2], i < 2 ? "1" : "2");
}

static void hears_both(int fd)
{
	hears(fd, "1");
	hears(fd, "2");
	hears_nothing(fd);
}

static void one_call_for_all(void **state)
{
	(void)state;
	two_each();
	PLAY(SYS_WRITE, { 0, 0 }, { 0, EIO });
	settle();
	sys_gate = NULL;
	hears_both(client[0]);
	hears_both(client[1]);
	assert_int_equal(at, 1);
	hang_up_all();
}

static void only_some_are_taken(void **state)
{
	(void)state;
	two_each();
	PLAY(SYS_WRITE, { 1, 0 }, { 0, EINTR }, { 2, 0 }, { 0, 0 });
	settle();
	assert_int_equal(at, 4);
	hears_both(client[0]);
	hears_both(client[1]);
	assert_int_equal(fixture.lost, 0);
	hang_up_all();
}

static void only_some_are_received(void **state)
{
	(void)state;
	two_each();
	PLAY(SYS_READ, { 1, 0 }, { 0, EINTR }, { 2, 0 }, { 0, 0 });
	settle();
	hears_both(client[0]);
	hears_both(client[1]);
	hang_up_all();
}

static void an_error_that_passes_loses_one(void **state)
{
	(void)state;
	if (SYS_BATCH == 1) /* then answers stand in another order */
		skip();
	two_each();
	PLAY(SYS_WRITE, { 1, 0 }, { 0, EPERM }, { 0, 0 });
	settle();
	hears(client[0], "1");
	hears_nothing(client[0]);
	hears_both(client[1]);
	assert_int_equal(fixture.lost, 1);
	assert_false(fixture.owners[0].failed);
	said(client[0], "well");
	settle();
	hears(client[0], "well");
	hang_up_all();
}

static void an_error_is_its_peers(void **state)
{
	(void)state;
	two_each();
	PLAY(SYS_WRITE, { 0, EMSGSIZE }, { 0, 0 });
	settle();
	hears(client[0], "2"); /* had been accepted */
	hears_both(client[1]);
	assert_true(fixture.owners[0].failed);
	assert_int_equal(fixture.owners[0].s->why.cls, ERR_NETWORK);
	assert_int_equal(fixture.owners[0].s->why.sys, EMSGSIZE);
	assert_string_equal(fixture.owners[0].s->why.text, "send to");
	assert_int_equal(stream_write(fixture.owners[0].s, "x", 1), ST_FAIL);
	assert_false(fixture.owners[1].failed);
	assert_int_equal(fixture.lost, 0);
	hang_up_all();
}

/* The system tells the next sender of a refusal that was another's. */
static void a_refusal_without_a_peer_is_tried_again(void **state)
{
	(void)state;
	two_each();
	PLAY(SYS_WRITE, { 0, ECONNREFUSED }, { 0, 0 });
	settle();
	hears_both(client[0]);
	hears_both(client[1]);
	assert_false(fixture.owners[0].failed);
	hang_up_all();
}

static void no_room_and_then_room(void **state)
{
	(void)state;
	two_each();
	PLAY(SYS_WRITE, { 1, 0 }, { 0, EAGAIN });
	settle();
	hears(client[0], "1");
	hears_nothing(client[0]);
	hears_nothing(client[1]);
	assert_int_equal(stream_flush(fixture.owners[0].s), ST_AGAIN); /* it has something in there */
	assert_true(fixture.owners[0].s->wr.wake);
	said(client[0], "3");
	settle();
	hears_nothing(client[0]); /* none overtakes */
	sys_gate = NULL;
	settle();
	hears(client[0], "2");
	hears(client[0], "3");
	hears_both(client[1]);
	assert_int_equal(stream_flush(fixture.owners[0].s), 0);
	assert_int_equal(fixture.lost, 0);
	hang_up_all();
}

/* Where the system cuts: the two answers to a peer are one message. */
static bool two_together(void)
{
	int size = 0;
	socklen_t len = sizeof size;
	two_each();
	fixture.udp->cut.below = 0;
	return getsockopt(fixture.fd, IPPROTO_UDP, 103, &size, &len) == 0; /* UDP_SEGMENT */
}

static void equal_answers_leave_together(void **state)
{
	(void)state;
	bool cuts = two_together();
	PLAY(SYS_WRITE, { 1, 0 }, { 0, EAGAIN });
	settle();
	hears(client[0], "1");
	if (cuts)
		hears(client[0], "2");
	hears_nothing(client[0]);
	hears_nothing(client[1]);
	sys_gate = NULL;
	settle();
	if (!cuts)
		hears(client[0], "2");
	hears_both(client[1]);
	assert_int_equal(stream_flush(fixture.owners[0].s), 0);
	hang_up_all();
}

static void what_cannot_be_cut_leaves_apart(void **state)
{
	(void)state;
	if (!two_together()) {
		hang_up_all();
		skip();
	}
	PLAY(SYS_WRITE, { 0, EIO }, { 0, 0 });
	settle();
	sys_gate = NULL;
	hears_both(client[0]);
	hears_both(client[1]);
	assert_int_equal(fixture.udp->cut.below, 1);
	assert_false(fixture.owners[0].failed);
	assert_int_equal(fixture.lost, 0);
	hang_up_all();
}

static void an_error_among_equal_ones(void **state)
{
	(void)state;
	two_together();
	PLAY(SYS_WRITE, { 0, EPERM }, { 0, 0 });
	settle();
	hears(client[0], "2");
	hears_nothing(client[0]);
	hears_both(client[1]);
	assert_int_equal(fixture.lost, 1);
	hang_up_all();
}

/* What is written outside of a turn keeps its place, too. */
static void later_ones_wait_behind(void **state)
{
	(void)state;
	two_each();
	PLAY(SYS_WRITE, { 0, EAGAIN });
	settle();
	assert_int_equal(stream_write(fixture.owners[1].s, "3", 1), 1);
	sys_gate = NULL;
	settle();
	hears(client[1], "1");
	hears(client[1], "2");
	hears(client[1], "3");
	hang_up_all();
}

/* 64 answers wait, then peers with more to say; none is lost, and each peer's order is kept. */
static void no_room_at_all(void **state)
{
	(void)state;
	enum { N = 100 };
	char text[8];
	two_each();
	PLAY(SYS_WRITE, { 0, EAGAIN });
	settle();
	for (int i = 3; i <= N; i++)
		for (int k = 0; k < 2; k++) {
			snprintf(text, sizeof text, "%d", i);
			said(client[k], text);
		}
	settle();
	assert_true(fixture.owners[0].waits > 0 && fixture.owners[1].waits > 0);
	assert_true(fixture.owners[0].reads + fixture.owners[1].reads < 2 * N); /* a waiting session does not read */
	sys_gate = NULL;
	settle();
	for (int i = 1; i <= N; i++)
		for (int k = 0; k < 2; k++) {
			snprintf(text, sizeof text, "%d", i);
			hears(client[k], text);
		}
	assert_int_equal(fixture.lost, 0);
	hang_up_all();
}

static void no_room_to_the_end(void **state)
{
	(void)state;
	two_each();
	PLAY(SYS_WRITE, { 1, 0 }, { 0, EAGAIN });
	settle();
	udp_close(fixture.udp);
	fixture.udp = NULL;
	sys_gate = NULL;
	assert_int_equal(fixture.lost, 3);
	hears(client[0], "1");
	hears_nothing(client[0]);
	hang_up_all();
}

/* The answers of one that has closed leave all the same; their errors are not told. */
static void answers_of_a_closed_peer(void **state)
{
	(void)state;
	two_each();
	PLAY(SYS_WRITE, { 0, EAGAIN });
	settle();
	forget(&fixture.owners[0]);
	PLAY(SYS_WRITE, { 0, EMSGSIZE }, { 0, 0 });
	settle();
	hears(client[0], "2");
	hears_both(client[1]);
	assert_int_equal(fixture.lost, 1);
	hang_up_all();
}
#endif

static struct msgs three(void)
{
	static char text[] = "aaabbbcc";
	return (struct msgs){ .n = 3, .v = { { text, 3 }, { text + 3, 3 }, { text + 6, 2 } } };
}

static void hears_three(int fd)
{
	hears(fd, "aaa");
	hears(fd, "bbb");
	hears(fd, "cc");
	hears_nothing(fd);
}

static void many_to_one_peer(void **state)
{
	(void)state;
	struct msgs m = three();
	fixture.mute = true;
	serve("0.0.0.0", false);
	client[0] = dial("127.0.0.3"); /* connected: hears no other */
	said(client[0], "x");
	settle();
	assert_int_equal(stream_sendm(fixture.owners[0].s, &m), 3);
	hears_three(client[0]);
	sys_close(client[0]);
}

static void many_from_a_guarded_one(void **state)
{
	(void)state;
	struct msgs m = three();
	fixture.mute = true;
	serve("127.0.0.1", true);
	client[0] = dial("127.0.0.1");
	said(client[0], "12345"); /* so much may be answered */
	settle();
	assert_int_equal(stream_sendm(fixture.owners[0].s, &m), 1);
	hears(client[0], "aaa");
	m.v[0] = m.v[1];
	assert_int_equal(stream_sendm(fixture.owners[0].s, &m), 1);
	hears_nothing(client[0]);
	assert_int_equal(fixture.lost, 1);
	sys_close(client[0]);
}

static void say_three(struct owner *o)
{
	struct msgs m = three();
	while (m.n > 0) {
		int sent = stream_sendm(o->s, &m);
		assert_in_range(sent, 1, m.n);
		m.n -= (unsigned)sent;
		memmove(m.v, m.v + sent, sizeof m.v[0] * m.n);
	}
}

/* In a turn they leave with the answers of others, behind what was said before. */
static void many_in_a_turn(void **state)
{
	(void)state;
	fixture.mute = true;
	fixture.read = say_three;
	serve("127.0.0.1", false);
	dial_all();
	said(client[0], "x");
	said(client[1], "x");
	settle();
	hears_three(client[0]);
	hears_three(client[1]);
	hang_up_all();
}

#ifdef SYS_SEAM
static void many_and_an_error(void **state)
{
	(void)state;
	struct msgs m = three();
	fixture.mute = true;
	serve("127.0.0.1", false);
	client[0] = dial("127.0.0.1");
	said(client[0], "x");
	settle();
	struct stream *s = fixture.owners[0].s;
	PLAY(SYS_WRITE, { 0, EPERM }, { 0, EPERM }, { 0, 0 });
	assert_int_equal(stream_sendm(s, &m), 1); /* lost on its way */
	assert_int_equal(fixture.lost, 1);
	assert_int_equal(stream_sendm(s, &m), 3);
	hears_three(client[0]);
	PLAY(SYS_WRITE, { 0, EAGAIN });
	assert_int_equal(stream_sendm(s, &m), ST_AGAIN);
	assert_true(s->wr.wake);
	PLAY(SYS_WRITE, { 0, EMSGSIZE });
	assert_int_equal(stream_sendm(s, &m), ST_FAIL);
	assert_int_equal(s->why.sys, EMSGSIZE);
	sys_gate = NULL;
	sys_close(client[0]);
}
#endif

/* The socket's buffer overflows: what the system has dropped is told, and with what we got it is all that was sent. */
static void what_the_system_drops_is_told(void **state)
{
	(void)state;
#ifdef __linux__
	enum { N = 3000 };
	fixture.mute = true;
	serve("127.0.0.1", false);
	int bytes = 1;
	assert_int_equal(setsockopt(fixture.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), 0);
	dial_all();
	for (int i = 0; i < N; i++)
		said(client[0], "drop");
	settle();
	assert_true(fixture.owners[0].reads > 0 && fixture.owners[0].reads < N);
	for (int i = 0; i < N; i++)
		said(client[0], "more");
	udp_close(fixture.udp);
	fixture.udp = NULL;
	assert_true(fixture.lost >= 2 * N - 2 * (int64_t)fixture.owners[0].reads);
	assert_true(fixture.lost < 2 * N);
	assert_in_range(fixture.reports, 1, 2);
	hang_up_all();
#else
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_of_a_peer_at_once),
		TEST(one_by_one),
		TEST(much_from_one),
		TEST(closed_while_woken),
		TEST(new_peers_come_after_earlier_ones),
		TEST(what_the_system_drops_is_told),
		TEST(many_to_one_peer),
		TEST(many_from_a_guarded_one),
		TEST(many_in_a_turn),
#ifdef SYS_SEAM
		TEST(one_call_for_all),
		TEST(only_some_are_taken),
		TEST(only_some_are_received),
		TEST(an_error_that_passes_loses_one),
		TEST(an_error_is_its_peers),
		TEST(a_refusal_without_a_peer_is_tried_again),
		TEST(no_room_and_then_room),
		TEST(equal_answers_leave_together),
		TEST(what_cannot_be_cut_leaves_apart),
		TEST(an_error_among_equal_ones),
		TEST(later_ones_wait_behind),
		TEST(no_room_at_all),
		TEST(no_room_to_the_end),
		TEST(answers_of_a_closed_peer),
		TEST(many_and_an_error),
#endif
	};
	return cmocka_run_group_tests_name("udp_batch", tests, NULL, NULL);
}
