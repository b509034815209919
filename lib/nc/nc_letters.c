/* The letters of nc (nc.h): the meaning of each here, the advice where it is typed after a mode of ours, and its line of -h. */
#include "nc/nc.h"

#define BY_ITSELF "the end of stdin is passed on by itself"
#define BY_MODE "the mode says it: use \"sockctl listen\" or \"sockctl serve\""

const struct nc_letter nc_letters[] = {
	{ '4', NULL, "-4", NULL, NULL, "IPv4 only", NULL },
	{ '6', NULL, "-6", NULL, NULL, "IPv6 only", NULL },
	{ 'b', NULL, NULL, "broadcast", "use -o broadcast", "may send to broadcast addresses", NULL },
	{ 'C', NULL, "-C", NULL, NULL, "send LF as CR LF", NULL },
	{ 'D', NULL, NULL, "debug", "use -o debug", "the kernel's debugging of the socket", NULL },
	{ 'd', NULL, "--recv-only", NULL, "use --recv-only", "never read stdin", NULL },
	{ 'h', NULL, NULL, NULL, NULL, "show this", NULL },
	{ 'I', "SIZE", NULL, "rcvbuf", "use -o rcvbuf=SIZE", "the kernel's receive buffer", NULL },
	{ 'i', "SECONDS", "-i", NULL, NULL, "wait after each line of stdin", NULL },
	{ 'k', NULL, "-k", NULL, NULL, "with -l: take the next client when one has gone", NULL },
	{ 'l', NULL, NULL, NULL, BY_MODE, "wait for a client", NULL },
	{ 'M', "TTL", NULL, "ttl", "use -o ttl=N", "hops that a packet may take", NULL },
	{ 'm', "TTL", NULL, "minttl", NULL, "drop packets with fewer hops left", NULL },
	{ 'N', NULL, NULL, NULL, BY_ITSELF " (--half-close)", "pass the end of stdin on to the peer", NULL },
	{ 'n', NULL, "-n", NULL, NULL, "ask no DNS: hosts and ports are numbers", NULL },
	{ 'O', "SIZE", NULL, "sndbuf", "use -o sndbuf=SIZE", "the kernel's send buffer", NULL },
	{ 'P', "USER", NULL, NULL, "use --proxy-auth", "the user at an HTTP proxy; the password from $SOCKCTL_PROXY_AUTH", NULL },
	{ 'p', "PORT", NULL, NULL, "the port is a word of its own: sockctl listen 7000", "the source port; with -l the port",
		NULL },
	{ 'q', "SECONDS", NULL, NULL, BY_ITSELF " (--half-close, --quit-after)",
		"end so long after the end of stdin, which is passed on", NULL },
	{ 's', "ADDR", "-s", NULL, NULL, "the source address; with -l the address", NULL },
	{ 'T', "NAME|N", NULL, "tos", "use -o tos=NAME", "the type-of-service byte", NULL },
	{ 't', NULL, "--telnet", NULL, "use --telnet", "refuse what a TELNET server wants to negotiate", NULL },
	{ 'U', NULL, "-U", NULL, NULL, "Unix socket: the address is a path", NULL },
	{ 'u', NULL, "-u", NULL, NULL, "UDP; with -U datagrams", NULL },
	{ 'v', NULL, "-v", NULL, NULL, "say what happens", NULL },
	{ 'W', "N", NULL, NULL, "use --replies", "end when N packets have come, of a stream when N reads gave something", NULL },
	{ 'w', "SECONDS", "-w", NULL, NULL, "give up connecting, or a silent connection", NULL },
	{ 'X', "4|5|connect", NULL, NULL, "use --proxy", "the proxy's protocol: SOCKS 4, 5 (default), HTTP", NULL },
	{ 'x', "HOST[:PORT]", NULL, NULL, "use --proxy", "connect through this proxy", NULL },
	{ 'z', NULL, "--probe", NULL, "use \"sockctl connect --probe\"", "only ask whether the port is open", NULL },

	{ 'F', NULL, NULL, NULL, NULL, NULL, "passing the socket on is not supported" },
	{ 'r', NULL, NULL, NULL, NULL, NULL, "random ports are not supported" },
	{ 'S', NULL, NULL, NULL, NULL, NULL, "TCP MD5 signatures are not supported" },
	{ 'V', "TABLE", NULL, NULL, NULL, NULL, "routing tables are not supported; see -o mark of sockctl" },
	{ 'Z', NULL, NULL, NULL, NULL, NULL, "DCCP is not supported" },
	{ 'e', "CMD", "-e", NULL, NULL, NULL, "netcat-openbsd has no such option; use \"sockctl listen -e CMD\"" },
	{ 'c', "CMD", "-e", NULL, "use --exec CMD", NULL, "netcat-openbsd has no such option; use \"sockctl listen -e CMD\"" },
	{ 0 },
};

const struct nc_letter *nc_letter(char ch)
{
	const struct nc_letter *row = nc_letters;
	while (row->ch != 0 && row->ch != ch)
		row++;
	return row->ch == 0 ? NULL : row;
}

int nc_help(FILE *to)
{
	fputs("usage: nc [-46bCDdhklNnUuvz] [-I SIZE] [-i SECONDS] [-M TTL] [-m TTL] [-O SIZE] [-P USER] [-p PORT] [-q SECONDS]\n"
	      "          [-s ADDR] [-T NAME] [-W N] [-w SECONDS] [-X PROTOCOL] [-x HOST[:PORT]] [HOST] [PORT...]\n"
	      "sockctl " SOCKCTL_VERSION ", called as nc: the options of OpenBSD's netcat as Debian has it\n\n",
		to);
	for (const struct nc_letter *row = nc_letters; row->ch != 0; row++)
		if (row->help != NULL)
			fprintf(to, "  -%c %-12s %s\n", row->ch, row->arg != NULL ? row->arg : "", row->help);
	fputs("\nPORT may be a range, 20-30, with -z.\n", to);
	return fflush(to) == 0 ? 0 : -1;
}
