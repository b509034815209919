/* The environment of a program of --exec: the UCSPI variables (cr.yp.to/proto/ucspi-tcp.txt) and the number of the connection.
 * Only numbers and text of our own: a peer cannot put text of its own there. */
#include "services/exec_internal.h"

#include "tls/tls.h"

#include <stdio.h>

enum { VARIABLES = 16, VARIABLE_BYTES = TLS_ALPN_MOST + 64 };

struct variables {
	char text[VARIABLES][VARIABLE_BYTES];
	const char *set[VARIABLES + 1]; /* NULL-terminated */
	unsigned n;
};

static void exec_env_set(struct variables *v, const char *head, const char *name, const char *value)
{
	if (v->n == VARIABLES)
		return;
	char *out = v->text[v->n];
	snprintf(out, VARIABLE_BYTES, "%s%s%s%s", head, name, value != NULL ? "=" : "", value != NULL ? value : "");
	v->set[v->n++] = out;
}

static void set_end(struct variables *v, const char *proto, const char *end, const struct sa *sa)
{
	char head[32], host[SA_TEXT], port[16];
	bool there = sa->family == AF_INET || sa->family == AF_INET6;
	snprintf(head, sizeof head, "%s%s", proto, end);
	snprintf(port, sizeof port, "%u", (unsigned)(there ? sa_port(sa) : 0));
	exec_env_set(v, head, "IP", there ? sa_host(sa, host) : NULL);
	exec_env_set(v, head, "PORT", there ? port : NULL);
}

static void exec_env_describe(struct variables *v, const struct session *s)
{
	char number[16];
	bool local = s->peer.family == AF_UNIX || s->local.family == AF_UNIX;
	bool udp = !local && (s->stream->caps & ST_DGRAM);
	const char *proto = local ? "UNIX" : udp ? "UDP" : "TCP";
	snprintf(number, sizeof number, "%u", (unsigned)s->id);
	exec_env_set(v, "", "PROTO", proto);
	exec_env_set(v, "", "SOCKCTL_CONN", number);
	if (!local) {
		set_end(v, proto, "LOCAL", &s->local);
		set_end(v, proto, "REMOTE", &s->peer);
	}
	/* what a program that started us may have set about a connection of its own */
	if (local || udp)
		set_end(v, "TCP", "REMOTE", &(const struct sa){ 0 });
	exec_env_set(v, "", "TCPREMOTEHOST", NULL);
	exec_env_set(v, "", "TCPREMOTEINFO", NULL);
	struct tls_facts facts;
	if (!tls_facts(s->stream, &facts))
		return;
	exec_env_set(v, "", "TLS_VERSION", facts.version);
	exec_env_set(v, "", "TLS_CIPHER", facts.cipher);
	exec_env_set(v, "", "TLS_ALPN", facts.alpn[0] != '\0' ? facts.alpn : NULL);
	exec_env_set(v, "", "TLS_PEER_PIN", facts.pin[0] != '\0' ? facts.pin : NULL);
}

struct child *exec_child(
	const struct session *s, const struct exec_conf *conf, const int fd[3], child_done *done, void *arg, struct err *e)
{
	const char *const shell[] = { "/bin/sh", "-c", conf->command, NULL };
	const struct run *run = s->service_run->run;
	struct variables v = { .n = 0 };
	exec_env_describe(&v, s);
	struct child_command command = {
		.argv = conf->command != NULL ? shell : (const char *const *)(uintptr_t)run->command,
		.set = v.set,
	};
	return (conf->pty ? child_start_at_tty : child_start)(run->loop, child_exec, &command, fd, done, arg, e);
}
