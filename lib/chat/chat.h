/* Chat: what its parts share. chat.c is the service, chat_lines.c the chat in lines, chat_command.c parses a client's line
 * (pure), chat_wire.c has the other wires: a small classic protocol, and raw bytes. */
#ifndef CHAT_CHAT_H
#define CHAT_CHAT_H

#include "chat/operator_io.h"
#include "chat/broadcast.h"

extern const struct service service_chat;
extern const struct opt_group chat_opts; /* --wire */
enum { CHAT_LINES, CHAT_VBNET, CHAT_RAW };
struct chat_conf {
	int wire;
};

enum { CHAT_NICK_MOST = 20 };

enum chat_verb { CHAT_SAY, CHAT_NICK, CHAT_WHO, CHAT_MSG, CHAT_ME, CHAT_QUIT, CHAT_HELP, CHAT_UNKNOWN };

struct chat_command { /* points into the line */
	enum chat_verb verb;
	const char *who, *text; /* CHAT_NICK, CHAT_MSG and CHAT_UNKNOWN: a word; the rest of the line */
	size_t who_len, text_len;
};

/* A line without its newline. "//text" says "/text". */
void chat_command_parse(const char *line, size_t n, struct chat_command *out);
/* 1-20 letters, digits, _ and -, not beginning with a digit, and not "server", in any case. */
bool chat_nick_ok(const char *nick, size_t n);

struct chat_member {
	struct member m; /* first: a member is its chatter */
	char nick[CHAT_NICK_MOST + 1];
};

struct chat {
	struct service_run *service_run;
	struct broadcast broadcast;
	struct operator_io operator_io;
	bool operated; /* an operator sits at the server's own terminal */
	const struct chat_wire *wire;
};

struct chat_wire {
	struct broadcast_ops ops;
	void (*came)(struct chat *c, struct chat_member *g);
	void (*closing)(struct chat *c, struct chat_member *g); /* the server is; NULL: no words for it */
};
extern const struct chat_wire chat_lines, chat_vbnet, chat_raw;

/* A name, or number; "server" is the operator (NULL). Returns out. */
enum { CHAT_NAME = CHAT_NICK_MOST + 1 };
const char *chat_name(const struct chat_member *g, char out[CHAT_NAME]);

/* Whole lines (the operator's last may lack its newline) of a chatter, or of the operator: NULL. -1: no memory for them. */
int chat_speak(struct chat *c, struct chat_member *g, const char *bytes, size_t n);

/* Pure parts of vbnet: one entry of the roster, and a message (its bytes without their newline, at most 32 more). Both return
 * the length. */
enum { VBNET_ENTRY = 24, VBNET_AROUND = 32 };
size_t vbnet_entry(char out[VBNET_ENTRY], uint32_t id);
size_t vbnet_message(char *out, uint32_t id, const char *bytes, size_t n);

#endif
